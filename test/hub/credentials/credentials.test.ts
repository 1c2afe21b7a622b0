import { createHash, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCredential } from '../../../src/credentials/create.ts';
import { auditLines, verifyAudit } from '../../../src/hub/audit/audit.ts';
import {
  type AddedCredential,
  addCredential,
  deleteCredential,
  enableCredential,
  renameCredential,
} from '../../../src/hub/credentials/credentials.ts';
import { parsePublicKey } from '../../../src/hub/credentials/public-key.ts';
import { nextName } from '../../../src/hub/credentials/versions.ts';
import { storeByHost } from '../../../src/hub/ingest/hosts.ts';
import { addServer, listServers, showServer } from '../../../src/hub/servers.ts';
import type { OrgCredential, Scope } from '../../../src/hub/store/store.ts';
import { whoamiSchema } from '../../../src/protocol/heartbeat.ts';
import { registeredSchema, retiredSchema } from '../../../src/protocol/keys.ts';
import { type Answer, heartbeat, packed, problemOf, TestHub } from '../helpers.ts';
import { incoming } from '../store/store-suite.ts';

interface Pair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}
const pair = (): Pair => generateKeyPairSync('rsa', { modulusLength: 2048 });
const spki = ({ publicKey }: Pair) => publicKey.export({ format: 'der', type: 'spki' }).toString('base64url');
const pkcs8 = ({ privateKey }: Pair) => privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
// Keys take time to make; each test needs two at most.
const [ONE, TWO] = [pair(), pair()];

let hub: TestHub;
beforeEach(async () => {
  hub = await new TestHub().start();
});
afterEach(() => hub.close());

const registry = () => ({ ...hub.registry, actor: 'cli:test' });
const add = (name: string, of: Pair, over: { role?: OrgCredential['role']; scopes?: Scope[]; lifeMs?: number } = {}) =>
  addCredential(registry(), { name, key: parsePublicKey(spki(of), 'f'), role: 'member', ...over });
/** The headers that an agent with this private key sends. */
function jwt(of: Pair, { credential_id }: Pick<AddedCredential, 'credential_id'>, now = Date.now()): Record<string, string> {
  return createCredential({ private_key: pkcs8(of), credential_id } as Parameters<typeof createCredential>[0]).headers(now);
}
const legacy = (of: Pair) => ({ authorization: `Bearer ${pkcs8(of)}` });
const whoami = (headers: Record<string, string>) => hub.call('/api/v1/whoami', { key: null, headers });
const ask = (route: string, headers: Record<string, string>, body: object): Promise<Answer> =>
  hub.call(`/api/v1/keys/${route}`, { key: null, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) });
function refused(answer: Answer, status: number, code: string, detail: string): void {
  expect(answer.status, answer.text).toBe(status);
  expect(problemOf(answer)).toMatchObject({ code, detail: expect.stringContaining(detail) });
}

describe('whoami', () => {
  it('says which credential asks, by token and by the private key itself', async () => {
    const added = await add('ci', ONE);
    for (const headers of [jwt(ONE, added), legacy(ONE), legacy(ONE)]) {
      const answer = await whoami(headers);
      expect(answer.status, answer.text).toBe(200);
      expect(whoamiSchema.strict().parse(JSON.parse(answer.text))).toMatchObject({
        server: null,
        credential: { id: added.credential_id, name: 'ci', role: 'member', scopes: ['heartbeats', 'fleet', 'keys'] },
        fingerprint: added.fingerprint,
        slot: 'current',
        rotation: ['register', 'retire'],
      });
    }
    const [row] = await hub.serving.hub.store.credentials('default');
    expect(row?.lastUsed).toBeGreaterThan(0);
  });

  it('refuses what is unknown, disabled, expired or deleted, each with its sentence, and from that instant on', async () => {
    refused(await whoami(jwt(ONE, { credential_id: 'x' })), 401, 'key_refused', 'no credential that is known');
    refused(await whoami(legacy(ONE)), 401, 'key_refused', 'no credential that is known');
    const added = await add('ci', ONE);
    const both = () => Promise.all([whoami(jwt(ONE, added)), whoami(legacy(ONE))]);
    for (const answer of await both()) expect(answer.status).toBe(200);
    await enableCredential(registry(), 'ci', false);
    for (const answer of await both()) refused(answer, 401, 'key_refused', `ci (fingerprint ${added.fingerprint}) is disabled`);
    await enableCredential(registry(), 'ci', true);
    for (const answer of await both()) expect(answer.status).toBe(200);
    hub.serving.hub.store.credentialByKid = async (kid) => {
      const row = (await hub.serving.hub.store.credentials('default')).find((one) => one.kid === kid);
      return row && { ...row, expiresAt: Date.UTC(2026, 0, 1) };
    };
    for (const answer of await both()) refused(answer, 401, 'key_refused', 'was valid until 2026-01-01');
    await deleteCredential(registry(), 'ci');
    for (const answer of await both()) refused(answer, 401, 'key_refused', 'was deleted');
  });

  it('tells an agent how far ahead its clock is', async () => {
    const added = await add('ci', ONE);
    refused(await whoami(jwt(ONE, added, Date.now() + 3_600_000)), 401, 'key_refused', 's ahead');
    refused(await whoami(jwt(ONE, added, Date.now() - 3_600_000)), 401, 'key_refused', 'expired');
    refused(await whoami(jwt(ONE, { credential_id: 'other' })), 401, 'key_refused', '`sub`');
  });

  it('refuses a private key that only carries the public half of a known one', async () => {
    await add('ci', ONE);
    const known = ONE.publicKey.export({ format: 'jwk' });
    const other = TWO.privateKey.export({ format: 'der', type: 'pkcs8' });
    const [from, to] = [TWO.publicKey.export({ format: 'jwk' }).n, known.n].map((n) => Buffer.from(n as string, 'base64url'));
    const at = other.indexOf(from as Buffer);
    const forged = Buffer.concat([other.subarray(0, at), to as Buffer, other.subarray(at + (to as Buffer).length)]);
    const headers = { authorization: `Bearer ${forged.toString('base64url')}` };
    for (let count = 0; count < 2; count++) refused(await whoami(headers), 401, 'key_refused', 'private key');
    refused(await whoami({ authorization: `Bearer ${pkcs8(ONE).slice(0, -8)}` }), 401, 'key_refused', 'probably cut');
  });

  it('throttles guesses like those of keys', async () => {
    const headers = jwt(ONE, { credential_id: 'x' });
    const answers = await Promise.all(Array.from({ length: 51 }, () => whoami(headers)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 429]));
  });
});

describe('heartbeats', () => {
  it('go to the server of their host, several in one batch', async () => {
    const added = await add('ci', ONE);
    const instance = randomUUID();
    const beats = ['a.example', 'b.example', 'a.example'].map((name, index) =>
      heartbeat({ instance, sequence: index + 1, host: { name, boot_time: 1 } }),
    );
    const post = () => hub.post(packed(beats), jwt(ONE, added), null);
    expect(JSON.parse((await post()).text)).toMatchObject({ accepted: 3, duplicates: 0, fingerprint: added.fingerprint, slot: 'current' });
    expect(JSON.parse((await post()).text)).toMatchObject({ accepted: 0, duplicates: 3 });
    expect(await showServer(hub.registry, 'a.example')).toMatchObject({ policy: 'multi', keys: [], instances: [{ accepted: 2 }] });
    expect(await showServer(hub.registry, 'b.example')).toMatchObject({ instances: [{ accepted: 1 }] });
    expect((await hub.serving.hub.store.standing('default', 'a.example'))?.key).toEqual({
      fingerprint: added.fingerprint,
      slot: 'current',
      createdAt: null,
    });
  });

  it('also to a server that has keys of its own: a credential is the whole organisation\u2019s', async () => {
    const added = await add('ci', ONE);
    expect((await hub.post(packed([heartbeat({ host: { name: 'web-1' } })]), jwt(ONE, added), null)).status).toBe(200);
    expect(await showServer(hub.registry, 'web-1')).toMatchObject({ policy: 'grace', instances: [{ accepted: 1 }] });
  });

  it('register a host with a line that names the credential and where it came from', async () => {
    const added = await add('ci', ONE);
    await hub.post(packed([heartbeat()]), jwt(ONE, added), null);
    expect((await Array.fromAsync(auditLines(hub.serving.hub.store, 'default'))).at(-1)).toMatchObject({
      actor: 'credential:ci',
      action: 'server.add',
      subject: 'server:web-1.example',
      address: '127.0.0.1',
    });
  });

  it.each(['-x', ' x', 'a/b', '../x', 'a\u0000b', 'a\u202eb', '\u001b[2J', 'a\nb', '<b>', 'x'.repeat(129)])(
    'are refused from a host named %j, and nothing of their batch is stored',
    async (name) => {
      const added = await add('ci', ONE);
      const answer = await hub.post(packed([heartbeat(), heartbeat({ host: { name } })]), jwt(ONE, added), null);
      refused(answer, 400, 'heartbeat_invalid', 'host.name is not a name for a server');
      expect(problemOf(answer)).toMatchObject({ index: 1 });
      expect(problemOf(answer).detail).not.toContain(name);
      expect(await hub.serving.hub.store.servers('default')).toHaveLength(1);
    },
  );

  it('of a member bring so many servers into being and no more; of an admin any number', async () => {
    const { id } = { id: (await add('ci', ONE)).credential_id };
    const { hub: inner } = hub.serving;
    const credential = (await inner.store.credentials('default')).find((one) => one.id === id) as OrgCredential;
    const store = (name: string, role: OrgCredential['role'] = 'member') =>
      storeByHost(
        inner,
        { kind: 'credential', credential: { ...credential, role } },
        [incoming(randomUUID(), 1, { hostName: name })],
        null,
        2,
      );
    for (const name of ['a', 'b', 'a']) expect(await store(name)).toEqual([{ accepted: 1, duplicates: 0 }]);
    await expect(store('c')).rejects.toMatchObject({ status: 403, code: 'forbidden', message: expect.stringContaining('2 servers') });
    expect(await store('c', 'admin')).toEqual([{ accepted: 1, duplicates: 0 }]);
  });

  it('need their scope', async () => {
    const added = await add('ci', ONE, { scopes: ['keys'] });
    refused(await hub.post(packed([heartbeat()]), jwt(ONE, added), null), 403, 'forbidden', 'lacks the scope heartbeats; it has keys');
    expect(await hub.serving.hub.store.servers('default')).toHaveLength(1);
  });
});

describe('a credential replaces itself', () => {
  it('registers NAME-v2 with its role, scopes and expiry, once for each key, and retires the old one with the new', async () => {
    const added = await add('ci', ONE, { scopes: ['heartbeats', 'keys'], lifeMs: 3_600_000 });
    const register = async () =>
      registeredSchema.strict().parse(JSON.parse((await ask('register', jwt(ONE, added), { public_key: spki(TWO) })).text));
    const made = await register();
    expect(made).toMatchObject({ name: 'ci-v2', slot: 'current', previous_key_valid_until: expect.any(String) });
    expect(await register()).toEqual(made);
    const [old, fresh] = await hub.serving.hub.store.credentials('default');
    expect(fresh).toMatchObject({ id: made.credential_id, role: old?.role, scopes: old?.scopes, expiresAt: old?.expiresAt });

    const asNew = jwt(TWO, { credential_id: made.credential_id as string });
    refused(await ask('retire', asNew, { fingerprint: made.fingerprint }), 409, 'key_in_use', 'asks');
    const retire = async () => retiredSchema.parse(JSON.parse((await ask('retire', asNew, { fingerprint: added.fingerprint })).text));
    expect(await retire()).toEqual({ fingerprint: added.fingerprint, retired: true });
    expect(await retire()).toEqual({ fingerprint: added.fingerprint, retired: false });
    refused(await whoami(jwt(ONE, added)), 401, 'key_refused', 'is disabled');
    refused(await ask('register', asNew, { public_key: spki(ONE) }), 409, 'key_exists', 'ended');
    const actions = (await Array.fromAsync(auditLines(hub.serving.hub.store, 'default'))).map(({ actor, action, subject }) => [
      actor,
      action,
      subject,
    ]);
    expect(actions.slice(-2)).toEqual([
      ['credential:ci', 'credential.register', 'credential:ci-v2'],
      ['credential:ci-v2', 'credential.retire', 'credential:ci'],
    ]);
    await verifyAudit(auditLines(hub.serving.hub.store, 'default'));
  });

  it('whatever the length of its name', async () => {
    const added = await add('x'.repeat(64), ONE);
    const made = JSON.parse((await ask('register', jwt(ONE, added), { public_key: spki(TWO) })).text);
    const asNew = jwt(TWO, { credential_id: made.credential_id });
    expect((await ask('retire', asNew, { fingerprint: added.fingerprint })).status).toBe(200);
    refused(await whoami(jwt(ONE, added)), 401, 'key_refused', 'is disabled');
    expect((await enableCredential(registry(), made.name, false)).enabled).toBe(false);
  });

  it('but no other one, unless it has the scope admin; and nothing without the scope keys', async () => {
    const [one, two] = [await add('ci', ONE), await add('ops', TWO, { role: 'admin' })];
    refused(await ask('retire', jwt(ONE, one), { fingerprint: two.fingerprint }), 403, 'forbidden', 'versions of itself only');
    refused(await ask('register', jwt(ONE, one), { public_key: spki(TWO) }), 409, 'key_exists', 'another credential');
    expect((await ask('retire', jwt(TWO, two), { fingerprint: one.fingerprint })).status).toBe(200);
    await deleteCredential(registry(), 'ci');
    const narrow = await add('narrow', ONE, { scopes: ['heartbeats'] });
    for (const route of ['register', 'retire', 'mint']) refused(await ask(route, jwt(ONE, narrow), {}), 403, 'forbidden', 'scope keys');
    expect(JSON.parse((await whoami(jwt(ONE, narrow))).text).rotation).toBeUndefined();
  });

  it('with a public key and nothing else', async () => {
    const added = await add('ci', ONE);
    const headers = jwt(ONE, added);
    refused(await ask('register', headers, { sha256: 'a'.repeat(64) }), 400, 'key_invalid', 'key pair');
    refused(await ask('register', headers, { public_key: pkcs8(TWO) }), 400, 'key_invalid', 'it is a private key');
    refused(await ask('mint', { ...headers, 'idempotency-key': randomUUID() }, {}), 400, 'key_invalid', 'public half');
    const answer = await hub.call('/api/v1/keys/register', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ public_key: spki(TWO) }),
    });
    refused(answer, 400, 'key_invalid', 'SHA-256');
  });

  it('as often as versions of it may be, those that have ended not counted', async () => {
    const added = await add('ci', ONE);
    const { store } = hub.serving.hub;
    const [first] = (await store.credentials('default')) as [OrgCredential];
    const versions = Array.from({ length: 99 }, (_, index) => ({
      ...first,
      id: randomUUID(),
      name: `ci-v${index + 2}`,
      kid: `${index}`.padStart(43, 'x'),
    }));
    await store.changeCredentials('default', () => ({ put: versions }));
    const register = () => ask('register', jwt(ONE, added), { public_key: spki(TWO) });
    refused(await register(), 409, 'keys_full', '100 versions');
    await enableCredential(registry(), 'ci-v5', false);
    expect(JSON.parse((await register()).text)).toMatchObject({ name: 'ci-v101' });
  });

  it('under names that count on', () => {
    const names = (...all: string[]) => all.map((name) => ({ name }));
    expect(nextName(names('ci'), 'ci')).toBe('ci-v2');
    expect(nextName(names('ci', 'ci-v2', 'ci-v9', 'ci-vx', 'other-v20'), 'ci-v2')).toBe('ci-v10');
    expect(nextName([], 'ci-v1')).toBe('ci-v2');
    const long = 'x'.repeat(64);
    expect(nextName(names(long), long)).toBe(`${long}-v2`);
    expect(nextName(names(long, `${long}-v2`), `${long}-v2`)).toBe(`${long}-v3`);
  });
});

describe('names, roles and the trail', () => {
  it('are kept straight', async () => {
    await add('ci', ONE);
    await expect(add('ci', TWO)).rejects.toMatchObject({ code: 'HUB_CREDENTIAL_EXISTS' });
    await expect(add('other', ONE)).rejects.toMatchObject({ code: 'HUB_CREDENTIAL_EXISTS' });
    for (const name of ['', ' a', '-a', 'a/b', 'a\n', 'a ', 'x'.repeat(65)])
      await expect(add(name, TWO)).rejects.toMatchObject({ code: 'HUB_CREDENTIAL_NAME' });
    await add('ops', TWO, { role: 'admin' });
    await expect(renameCredential(registry(), 'ci', 'ops')).rejects.toMatchObject({ code: 'HUB_CREDENTIAL_EXISTS' });
    expect(await renameCredential(registry(), 'ci', 'build')).toMatchObject({ name: 'build', scopes: ['heartbeats', 'fleet', 'keys'] });
    await expect(enableCredential(registry(), 'ci', true)).rejects.toMatchObject({ code: 'HUB_CREDENTIAL_UNKNOWN' });
    await addServer(registry(), 'web-2', 'grace', 0);
    const store = hub.serving.hub.store;
    expect((await Array.fromAsync(auditLines(store, 'default'))).map(({ action }) => action)).toEqual([
      'server.add',
      'credential.add',
      'credential.add',
      'credential.rename',
      'server.add',
    ]);
    expect(await verifyAudit(auditLines(store, 'default'))).toMatchObject({ lines: 5 });
  });
});

describe('an API key of the organisation', () => {
  const apiKey = (key: string) => ({ 'x-api-key': key });

  it('is made here and shown once; hosts report with it, each under its own server', async () => {
    const { key = '', kid, fingerprint } = await addCredential(registry(), { name: 'agents', key: 'api-key', role: 'member' });
    expect(kid).toBeNull();
    expect(fingerprint).toBe(createHash('sha256').update(key).digest('hex').slice(0, 12));
    const beats = ['a.example', 'b.example'].map((name) => heartbeat({ host: { name, boot_time: 1 } }));
    expect((await hub.post(packed(beats), {}, key)).status).toBe(200);
    expect((await listServers(registry())).map(({ name, fingerprint: used }) => [name, used])).toContainEqual(['a.example', fingerprint]);
    expect(JSON.parse((await whoami(apiKey(key))).text)).toMatchObject({
      server: null,
      credential: { name: 'agents', role: 'member' },
      fingerprint,
      rotation: ['register', 'retire'],
    });
    expect(JSON.stringify(await hub.serving.hub.store.auditTrail('default', 1, 99))).not.toContain(key);
  });

  it('replaces itself by the SHA-256 of another, and is refused once it is disabled', async () => {
    const { key = '' } = await addCredential(registry(), { name: 'agents', key: 'api-key', role: 'member' });
    const fresh = randomBytes(32).toString('hex');
    const sha256 = createHash('sha256').update(fresh).digest('hex');
    const register = (body: object) =>
      hub.call('/api/v1/keys/register', { body: JSON.stringify(body), key, headers: { 'content-type': 'application/json' } });
    const answer = await register({ sha256 });
    expect(JSON.parse(answer.text)).toMatchObject({ name: 'agents-v2', fingerprint: sha256.slice(0, 12) });
    expect(JSON.parse(answer.text)).not.toHaveProperty('credential_id');
    expect((await register({ public_key: spki(ONE) })).status).toBe(400);
    const { sha256: taken } = { sha256: createHash('sha256').update(hub.server.key).digest('hex') };
    expect((await register({ sha256: taken })).status).toBe(409);
    expect((await whoami(apiKey(fresh))).status).toBe(200);
    await enableCredential(registry(), 'agents', false);
    const refused = await whoami(apiKey(key));
    expect(refused.status).toBe(401);
    expect(problemOf(refused).detail).toContain('agents');
    expect((await whoami(apiKey(fresh))).status).toBe(200);
  });
});

it('makes a key pair here, whose private half is shown once and let in', async () => {
  const { key = '', kid } = await addCredential(registry(), { name: 'pair', key: 'pair', role: 'member' });
  expect(kid).toMatch(/^[\w-]{43}$/);
  expect((await whoami({ authorization: `Bearer ${key}` })).status).toBe(200);
});
