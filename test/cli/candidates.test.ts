import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hostKeyHere, readCandidates } from '../../src/cli/agent/candidates.ts';
import type { Config } from '../../src/config/schema.ts';
import { EMPTY_KEYRING, KEYRING, type KeptKey, type QuarantinedKey } from '../../src/credentials/keyring.ts';
import type { Opening } from '../../src/secrets/open.ts';
import { sealHere } from '../../src/secrets/seal.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';

const ENDPOINT = 'https://hub.example:8443';
let folder: string;
let opening: Opening;
let config: Config;

beforeEach(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'scout-candidates-'));
  mkdirSync(join(folder, 'etc'));
  writeFileSync(join(folder, 'etc/machine-id'), `${randomBytes(16).toString('hex')}\n`);
  opening = { env: { SCOUT_HOST_KEY_FILE: join(folder, 'host.key') }, uid: process.getuid?.() ?? 0, root: folder };
  config = { state_dir: folder, api: { endpoint: ENDPOINT, auth: 'api-key', key: 'configured', timeout: 1_000 } } as unknown as Config;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const freshKey = () => randomBytes(32).toString('hex');

function kept(values: Record<string, string>, since = '2026-01-01T00:00:00Z'): KeptKey {
  return { fingerprint: fingerprint(JSON.stringify(values)), origin: 'made', values, since, valid_until: null };
}
const quarantined = (key: KeptKey): QuarantinedKey => ({ ...key, reason: 'r' });

function sealed(text: string, field = 'api.key'): string {
  const made = sealHere(field, text, opening);
  if (!('token' in made)) throw new Error(made.fault.code);
  return made.token;
}

function write(keyring: unknown): void {
  writeFileSync(join(folder, KEYRING), JSON.stringify(keyring), { mode: 0o600 });
}

const journal = {
  id: 'r',
  to: 'ba9876543210',
  started: '2026-01-01T00:00:00Z',
  changed: '2026-01-01T00:00:00Z',
  actor: 'root',
  retire_at: null,
  problem: null,
};
const service = { endpoint: `${ENDPOINT}/`, service_id: 's', server_id: null };
const read = () => readCandidates(config, opening);

it('opens current, next, previous and quarantine, its newest first, in the settings that they are sent by', () => {
  const [current, next, old, older] = [freshKey(), freshKey(), freshKey(), freshKey()];
  const pair = { 'api.private_key': sealed('a key pair', 'api.private_key'), 'api.credential_id': 'c' };
  write({
    ...EMPTY_KEYRING,
    service,
    current: kept({ 'api.key': sealed(current) }),
    next: kept({ 'api.key': next }),
    previous: kept(pair),
    quarantine: [
      quarantined(kept({ 'api.key': older }, '2025-01-01T00:00:00Z')),
      quarantined(kept({ 'api.key': old }, '2025-06-01T00:00:00Z')),
    ],
  });
  const { candidates, problems, path } = read();
  expect(problems).toEqual([]);
  expect(path).toBe(join(folder, KEYRING));
  expect(candidates).toEqual([
    { slot: 'current', api: { ...config.api, key: current } },
    { slot: 'next', api: { ...config.api, key: next } },
    { slot: 'previous', api: { endpoint: ENDPOINT, timeout: 1_000, auth: 'jwt', private_key: 'a key pair', credential_id: 'c' } },
    { slot: 'quarantine', api: { ...config.api, key: old } },
    { slot: 'quarantine', api: { ...config.api, key: older } },
  ]);
});

it('knows that a next key has ended the configured one, where the journal of a rotation says so', () => {
  const next = kept({ 'api.key': freshKey() });
  const rotation = { state: 'STAGED', policy: 'immediate', source: 'made', from: '0123456789ab' };
  const ended = (change: object) => {
    write({ ...EMPTY_KEYRING, service, next, previous: next, rotation: { ...journal, ...rotation, ...change } });
    return read().candidates.map((one) => one.ended);
  };
  expect(ended({})).toEqual([rotation.from, undefined]);
  expect(ended({ state: 'PROVEN', source: 'keypair' })).toEqual([rotation.from, undefined]);
  for (const change of [{ state: 'INTENT' }, { policy: 'grace' }, { policy: 'multi' }, { source: 'pasted' }, { source: 'rollback' }])
    expect(ended(change)).toEqual([undefined, undefined]);
});

it('leaves out what does not open, with one warning that shows nothing of it', () => {
  const tokens = [sealed(freshKey()), sealed(freshKey())];
  rmSync(join(folder, 'host.key'));
  expect(hostKeyHere(opening)).toBeNull();
  const good = freshKey();
  write({
    ...EMPTY_KEYRING,
    service,
    current: kept({ 'api.key': tokens[0] as string }),
    next: kept({ 'api.key': tokens[1] as string }),
    previous: kept({ 'api.key': good }),
  });
  const { candidates, problems } = read();
  expect(candidates).toMatchObject([{ slot: 'previous', api: { key: good } }]);
  expect(problems).toMatchObject([{ code: 'HOST_KEY_MISSING', severity: 'warning' }]);
  for (const token of tokens) expect(JSON.stringify(problems)).not.toContain(token.slice(-20));
});

it('tells whether sealed values open here', () => {
  expect(hostKeyHere(opening)).toBeNull();
  sealed('x');
  expect(hostKeyHere(opening)).toMatch(/^[0-9a-f]{8}:[0-9a-f]{8}$/);
  rmSync(join(folder, 'etc/machine-id'));
  expect(hostKeyHere(opening)).toBeNull();
});

it('hands out nothing for another service, or where the keyring does not tell which', () => {
  for (const other of [{ ...service, endpoint: 'https://hub.example' }, { ...service, endpoint: 'hub' }, null]) {
    write({ ...EMPTY_KEYRING, service: other, next: kept({ 'api.key': freshKey() }) });
    expect(read()).toMatchObject({ candidates: [], problems: [] });
  }
});

it('hands out a key in quarantine to the service that it is for, and to no other', () => {
  const [ours, theirs] = [freshKey(), freshKey()];
  const foreign = { ...quarantined(kept({ 'api.key': theirs })), endpoint: 'https://elsewhere.example' };
  const anybodys = { ...quarantined(kept({ 'api.key': freshKey() })), unproved: true };
  write({ ...EMPTY_KEYRING, service, quarantine: [quarantined(kept({ 'api.key': ours })), foreign, anybodys] });
  expect(read().candidates).toMatchObject([{ slot: 'quarantine', api: { key: ours } }]);
  // The configuration names that service again, before any rotation there.
  config.api.endpoint = 'https://elsewhere.example/';
  expect(read().candidates).toMatchObject([{ slot: 'quarantine', api: { key: theirs } }]);
});

it('no keyring is none; one that is damaged, or may not be read, is a warning', () => {
  expect(read()).toMatchObject({ candidates: [], problems: [] });
  const secret = freshKey();
  writeFileSync(join(folder, KEYRING), `{"current": "${secret}`);
  const damaged = read();
  expect(damaged).toMatchObject({ candidates: [], problems: [{ code: 'KEYRING_DAMAGED', severity: 'warning' }] });
  expect(JSON.stringify(damaged)).not.toContain(secret.slice(0, 8));
  rmSync(join(folder, KEYRING));
  mkdirSync(join(folder, KEYRING));
  chmodSync(join(folder, KEYRING), 0);
  expect(read()).toMatchObject({ candidates: [], problems: [{ severity: 'warning' }] });
});

it('never throws, whatever JSON it meets', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json().map((text) => JSON.parse(text)),
        fc.record({ service: fc.constant(service), current: fc.jsonValue(), quarantine: fc.jsonValue() }),
      ),
      (value) => {
        write(value);
        const { problems } = read();
        for (const one of problems) expect(one.severity).toBe('warning');
      },
    ),
    { numRuns: 200 },
  );
});
