import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { keyViewSchema } from '../../../src/protocol/servers.ts';
import { faultOf } from '../../../src/support/chain.ts';
import { tempFolder } from '../../hub/helpers.ts';
import { commandsOn, ready, scoutHub, start, whoami } from './helpers.ts';

let folder: ReturnType<typeof tempFolder>;
let data: string[];
beforeEach(() => {
  folder = tempFolder();
  data = ['--data', join(folder.path, 'hub')];
});
afterEach(() => folder.remove());

const { json, refused } = commandsOn(() => data);

describe('key rotate', () => {
  it('prints the new key alone on stdout, and on stderr what becomes of the old one', async () => {
    const old = await json('server', 'add', 'web-1', '--grace', '2h');
    const { status, stdout, stderr } = await scoutHub(['key', 'rotate', 'web-1', ...data]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(stderr).toMatch(new RegExp(`^${old.fingerprint} goes on working as the previous key until \\d{4}-.*Z\\.$`, 'm'));
    expect(stderr).not.toContain(stdout.trim());
    const again = await scoutHub(['key', 'rotate', 'web-1', ...data]);
    expect(again.stderr).toContain(`${old.fingerprint} is refused from now on.`);
  });

  it('answers JSON, by each policy', async () => {
    await json('server', 'add', 'i', '--policy', 'immediate');
    await json('server', 'add', 'z', '--grace', '0s');
    const g = await json('server', 'add', 'g', '--grace', '2h');
    const shape = { key: expect.stringMatching(/^[0-9a-f]{64}$/), fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/), slot: 'current' };
    for (const name of ['i', 'z']) {
      expect(await json('key', 'rotate', name)).toEqual({ ...shape, previous_key_valid_until: null });
      expect(await json('key', 'list', name)).toHaveLength(1);
    }
    const made = await json('key', 'rotate', 'g');
    expect(made).toEqual({ ...shape, previous_key_valid_until: expect.any(String) });
    expect(await json('key', 'list', 'g')).toMatchObject([
      { fingerprint: g.fingerprint, slot: 'previous', valid_until: made.previous_key_valid_until },
      { fingerprint: made.fingerprint, slot: 'current', valid_until: null },
    ]);
    expect(await json('key', 'retire', 'g')).toEqual({ retired: [g.fingerprint] });
    expect(await json('key', 'retire', 'g')).toEqual({ retired: [] });
    expect((await scoutHub(['key', 'retire', 'g', ...data])).stdout).toBe('g has no previous key.\n');
    await refused('HUB_KEY_POLICY', 1, 'key', 'add', 'g');
    const once = await json('key', 'rotate', 'g', '--grace', '30m');
    const [before] = await json('key', 'list', 'g');
    expect(before).toMatchObject({ fingerprint: made.fingerprint, valid_until: once.previous_key_valid_until });
    expect(Date.parse(before.valid_until) - Date.now()).toBeLessThanOrEqual(30 * 60_000);
    expect(await json('key', 'rotate', 'g', '--grace', '0s')).toMatchObject({ previous_key_valid_until: null });
    expect(await json('key', 'list', 'g')).toHaveLength(1);
    await refused('USAGE', 64, 'key', 'rotate', 'g', '--grace', 'soon');
    await refused('HUB_KEY_POLICY', 1, 'key', 'rotate', 'i', '--grace', '0s');
    await refused('HUB_SERVER_UNKNOWN', 1, 'key', 'rotate', 'none');
  });
});

it('keys of multi are added, renamed, disabled, enabled and deleted, by name or fingerprint', async () => {
  const first = await json('server', 'add', 'web-1', '--policy', 'multi');
  const spare = await json('key', 'add', 'web-1', '--name', 'spare');
  expect(spare).toEqual({ key: expect.any(String), fingerprint: expect.any(String), slot: 'next' });
  await refused('HUB_KEY_NAMED', 1, 'key', 'add', 'web-1', '--name', 'spare');
  expect(await json('key', 'rename', 'web-1', 'spare', 'second')).toMatchObject({ name: 'second', fingerprint: spare.fingerprint });
  expect(await json('key', 'disable', 'web-1', first.fingerprint)).toMatchObject({ enabled: false });
  await refused('HUB_KEY_LAST', 1, 'key', 'disable', 'web-1', 'second');
  await refused('HUB_KEY_LAST', 1, 'key', 'delete', 'web-1', 'second');
  expect(await json('key', 'disable', 'web-1', 'second', '--force')).toMatchObject({ enabled: false });
  expect(await json('key', 'enable', 'web-1', 'second')).toMatchObject({ enabled: true });
  expect(await json('key', 'delete', 'web-1', first.fingerprint)).toEqual({ fingerprint: first.fingerprint, deleted: true });
  const { keys } = await json('server', 'show', 'web-1');
  expect(keys.map((key: unknown) => keyViewSchema.strict().parse(key))).toMatchObject([{ name: 'second', slot: 'next', enabled: true }]);
  expect((await scoutHub(['key', 'list', 'web-1', ...data])).stdout).toMatch(/^KEY +NAME .*\n[0-9a-f]{12} +second +next /);
  await refused('HUB_KEY_UNKNOWN', 1, 'key', 'enable', 'web-1', 'spare');
  const pasted = await scoutHub(['key', 'enable', 'web-1', spare.key, ...data]);
  expect(pasted.stderr).toContain('HUB_KEY_UNKNOWN');
  expect(pasted.stderr).not.toContain(spare.key);

  const store = SqliteStore.open(data[1] as string);
  const lines = await store.auditTrail('default', 1, 100);
  await store.close();
  expect(lines.map(({ action }) => action.replace('key.', ''))).toEqual([
    'server.add',
    'add',
    'rename',
    'disable',
    'disable',
    'enable',
    'delete',
  ]);
  for (const [index, line] of lines.entries()) {
    expect(faultOf(line, lines[index - 1] ?? null)).toBeUndefined();
    expect(line).toMatchObject({ actor: expect.stringMatching(/^cli:./), subject: 'server:web-1', address: null });
  }
});

it('what is done beside a running hub holds from its next request on', async () => {
  const hub = start(['serve', '--listen', '127.0.0.1:0', '--tls-self-signed', ...data]);
  try {
    const said = await ready(hub);
    const port = Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
    const ca = readFileSync(/authority: (.*)$/m.exec(said)?.[1] as string, 'utf8');
    const answers = (...keys: string[]) => Promise.all(keys.map((key) => whoami(port, ca, key)));

    const { key: a } = await json('server', 'add', 'g');
    expect(await answers(a)).toEqual([200]);
    const { key: b } = await json('key', 'rotate', 'g');
    expect(await answers(a, b)).toEqual([200, 200]);
    await json('key', 'retire', 'g');
    expect(await answers(a, b)).toEqual([401, 200]);

    const { key: c } = await json('server', 'add', 'm', '--policy', 'multi');
    const { key: d } = await json('key', 'add', 'm', '--name', 'd');
    expect(await answers(c, d)).toEqual([200, 200]);
    // Its first use made it the current one.
    expect(await json('key', 'list', 'm')).toMatchObject([{ slot: 'previous' }, { name: 'd', slot: 'current' }]);
    await json('key', 'disable', 'm', 'd');
    expect(await answers(c, d)).toEqual([200, 401]);
    await json('key', 'enable', 'm', 'd');
    expect(await answers(c, d)).toEqual([200, 200]);
    await json('key', 'delete', 'm', 'd');
    expect(await answers(c, d)).toEqual([200, 401]);
  } finally {
    hub.kill('SIGTERM');
  }
  expect(await once(hub, 'close')).toEqual([0, null]);
});

it.each(['rotate', 'retire', 'add', 'enable', 'disable', 'rename', 'delete'])('key %s explains itself with an example', async (verb) => {
  const { status, stdout } = await scoutHub(['key', verb, '--help']);
  expect(status).toBe(0);
  expect(stdout).toContain(`Example:\n  scout-hub key ${verb} web-1`);
});
