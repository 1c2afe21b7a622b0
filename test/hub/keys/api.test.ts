import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeKey, retireKeys, rotateKey } from '../../../src/hub/keys/changes.ts';
import { addServer, listKeys, removeServer, showServer } from '../../../src/hub/servers.ts';
import type { Policy, ServerKey } from '../../../src/hub/store/store.ts';
import { problemSchema, whoamiSchema } from '../../../src/protocol/heartbeat.ts';
import { mintedSchema, registeredSchema, retiredSchema } from '../../../src/protocol/keys.ts';
import { faultOf } from '../../../src/support/chain.ts';
import { type Answer, heartbeat, packed, problemOf, TestHub } from '../helpers.ts';

const HOUR = 3_600_000;
const GRACE = 24 * HOUR;
let hub: TestHub;
/** What the hub's clock says. */
let now: number;
beforeEach(async () => {
  hub = await new TestHub().start();
  now = Date.now();
  hub.serving.hub.now = () => now;
});
afterEach(() => hub.close());

const newKey = () => randomBytes(32).toString('hex');
const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const print = (key: string) => sha256(key).slice(0, 12);
const rfc = (ms: number) => new Date(ms).toISOString();
const JSON_TYPE = { 'content-type': 'application/json' };

const add = async (name: string, policy: Policy, graceMs = GRACE) => (await addServer(hub.registry, name, policy, graceMs)).key;
const post = (what: string, key: string | null, body: unknown, headers: Record<string, string> = {}) =>
  hub.call(`/api/v1/keys/${what}`, {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    key,
    headers: { ...JSON_TYPE, ...headers },
  });
const ok = (answer: Answer) => {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.headers['cache-control']).toBe('no-store');
  return JSON.parse(answer.text);
};
const register = async (key: string, fresh: string) =>
  registeredSchema.strict().parse(ok(await post('register', key, { sha256: sha256(fresh) })));
const mint = async (key: string, idempotency: string) =>
  mintedSchema.strict().parse(ok(await post('mint', key, {}, { 'idempotency-key': idempotency })));
const retire = async (key: string, fingerprint: string) => retiredSchema.strict().parse(ok(await post('retire', key, { fingerprint })));
const whoami = async (key: string) => {
  const answer = await hub.call('/api/v1/whoami', { key });
  return answer.status === 200 ? whoamiSchema.strict().parse(JSON.parse(answer.text)) : answer.status;
};
const slots = async (...keys: string[]) =>
  Promise.all(keys.map(async (key) => ((who) => (typeof who === 'number' ? who : who.slot))(await whoami(key))));
function refused(answer: Answer, status: number, code: string): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' });
  expect(problemSchema.strict().parse(JSON.parse(answer.text))).toMatchObject({ status, code });
}

describe('whoami', () => {
  it('says when the key was made and what can be done', async () => {
    const key = await add('a', 'grace');
    expect(await whoami(key)).toMatchObject({ key_created: rfc(now), rotation: ['register', 'mint', 'retire'] });
  });
});

describe('register', () => {
  it('immediate: the new key works and the old one is dead in the same instant', async () => {
    const [old, fresh] = [await add('a', 'immediate'), newKey()];
    expect(await register(old, fresh)).toEqual({ fingerprint: print(fresh), slot: 'current', previous_key_valid_until: null });
    expect(await slots(old, fresh)).toEqual([401, 'current']);
    refused(await post('register', old, { sha256: sha256(fresh) }), 401, 'key_refused');
    expect(await register(fresh, fresh)).toEqual({ fingerprint: print(fresh), slot: 'current', previous_key_valid_until: null });
  });

  it('grace: the old key works for its window, to the millisecond', async () => {
    const [old, fresh] = [await add('a', 'grace'), newKey()];
    const until = rfc(now + GRACE);
    const answer = { fingerprint: print(fresh), slot: 'current', previous_key_valid_until: until };
    expect(await register(old, fresh)).toEqual(answer);
    now += GRACE - 1;
    expect(await slots(old, fresh)).toEqual(['previous', 'current']);
    expect(await register(old, fresh)).toEqual(answer);
    expect(await register(fresh, fresh)).toEqual(answer);
    expect(await whoami(fresh)).toMatchObject({ previous_key_valid_until: until });
    now += 1;
    expect(await slots(old, fresh)).toEqual([401, 'current']);
    expect(await whoami(fresh)).toMatchObject({ previous_key_valid_until: null });
  });

  it('grace of zero: the old key is dead at once', async () => {
    const [old, fresh] = [await add('a', 'grace', 0), newKey()];
    expect(await register(old, fresh)).toMatchObject({ previous_key_valid_until: null });
    expect(await slots(old, fresh)).toEqual([401, 'current']);
  });

  it('multi: the old key goes on working', async () => {
    const [old, fresh] = [await add('a', 'multi'), newKey()];
    expect(await register(old, fresh)).toEqual({ fingerprint: print(fresh), slot: 'current', previous_key_valid_until: null });
    now += 1_000 * GRACE;
    expect(await slots(old, fresh)).toEqual(['previous', 'current']);
  });

  it('of a key of another server, or of one that has ended, is refused and changes nothing', async () => {
    const [a, b] = [await add('a', 'grace', HOUR), await add('b', 'grace')];
    refused(await post('register', a, { sha256: sha256(b) }), 409, 'key_exists');
    const fresh = newKey();
    await register(a, fresh);
    now += HOUR;
    refused(await post('register', fresh, { sha256: sha256(a) }), 409, 'key_exists');
    expect(await slots(fresh, b)).toEqual(['current', 'current']);
  });
});

describe('mint', () => {
  it.each([
    ['immediate', GRACE],
    ['grace', 0],
  ] as const)('%s, %d ms: the same request brings the same key for a day, also from the dead key', async (policy, graceMs) => {
    const old = await add('a', policy, graceMs);
    const idempotency = randomUUID();
    const first = await mint(old, idempotency);
    expect(first).toEqual({
      key: first.key,
      fingerprint: print(first.key),
      slot: 'current',
      previous_key_valid_until: null,
      replayed: false,
    });
    expect(await slots(old, first.key)).toEqual([401, 'current']);
    expect(await mint(old, idempotency)).toEqual({ ...first, replayed: true });
    expect(await mint(old, `"${idempotency}"`)).toEqual({ ...first, replayed: true });
    refused(await post('mint', old, {}, { 'idempotency-key': randomUUID() }), 401, 'key_refused');
    refused(await post('mint', newKey(), {}, { 'idempotency-key': idempotency }), 401, 'key_refused');
    now += GRACE - 1;
    expect((await mint(old, idempotency)).key).toBe(first.key);
    now += 1;
    refused(await post('mint', old, {}, { 'idempotency-key': idempotency }), 401, 'key_refused');
    expect(await listKeys(hub.registry, 'a')).toHaveLength(1);
  });

  it('grace: an agent that lost the answer and its Idempotency-Key asks again with the previous key, and ends well', async () => {
    const old = await add('a', 'grace', HOUR);
    const lost = await mint(old, randomUUID());
    now += HOUR - 1;
    const second = await mint(old, randomUUID());
    expect(second.previous_key_valid_until).toBe(rfc(now + HOUR));
    for (const key of [old, second.key]) expect(await whoami(key)).toMatchObject({ previous_key_valid_until: rfc(now + HOUR) });
    now += HOUR - 1;
    expect(await slots(old, lost.key, second.key)).toEqual(['previous', 'previous', 'current']);
    now += 1;
    expect(await slots(old, lost.key, second.key)).toEqual([401, 401, 'current']);
  });

  it('that comes in many times at once makes one key', async () => {
    for (const policy of ['immediate', 'grace', 'multi'] as const) {
      const old = await add(policy, policy);
      const idempotency = randomUUID();
      const answers = await Promise.all(Array.from({ length: 8 }, () => mint(old, idempotency)));
      expect(new Set(answers.map(({ key }) => key)).size).toBe(1);
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(await listKeys(hub.registry, policy)).toHaveLength(policy === 'immediate' ? 1 : 2);
    }
  });

  it('whose key has ended since is not made again under the same Idempotency-Key', async () => {
    const old = await add('a', 'multi');
    const idempotency = randomUUID();
    const { fingerprint } = await mint(old, idempotency);
    await retire(old, fingerprint);
    refused(await post('mint', old, {}, { 'idempotency-key': idempotency }), 409, 'idempotency_used');
    expect(await slots(old)).toEqual(['current']);
  });

  it('is no other request under the same Idempotency-Key', async () => {
    const [old, idempotency] = [await add('a', 'immediate'), randomUUID()];
    const { key } = await mint(old, idempotency);
    refused(await post('mint', old, { name: 'spare' }, { 'idempotency-key': idempotency }), 400, 'key_invalid');
    expect(await mint(old, idempotency)).toMatchObject({ key, replayed: true });
  });

  it('is not repeated for a key that somebody has shut out on purpose', async () => {
    const registry = hub.registry;
    const actions = [{ action: 'disable', force: false } as const, { action: 'delete', force: false } as const];
    for (const [index, action] of actions.entries()) {
      const [name, idempotency] = [`m${index}`, randomUUID()];
      const old = await add(name, 'multi');
      const { key } = await mint(old, idempotency);
      expect(await mint(old, idempotency)).toMatchObject({ key, replayed: true });
      await changeKey(registry, name, print(old), action);
      refused(await post('mint', old, {}, { 'idempotency-key': idempotency }), 401, 'key_refused');
      expect(await slots(key)).toEqual(['current']);
    }
  });

  it('brings no key whose window is over', async () => {
    const old = await add('a', 'grace', HOUR);
    const idempotency = randomUUID();
    const minted = await mint(old, idempotency);
    await register(minted.key, newKey());
    now += HOUR - 1;
    expect(await mint(old, idempotency)).toMatchObject({ key: minted.key, slot: 'previous', replayed: true });
    now += 1;
    refused(await post('mint', old, {}, { 'idempotency-key': idempotency }), 401, 'key_refused');
  });

  it('wants an Idempotency-Key that cannot be met by chance', async () => {
    const old = await add('a', 'grace');
    for (const headers of [
      {},
      { 'idempotency-key': 'x'.repeat(15) },
      { 'idempotency-key': 'x'.repeat(129) },
      { 'idempotency-key': '\u00e9'.repeat(16) },
    ])
      refused(await post('mint', old, {}, headers), 400, 'idempotency_key');
    expect(await listKeys(hub.registry, 'a')).toHaveLength(1);
    const bare = await hub.call('/api/v1/keys/mint', { body: '', key: old, headers: { 'idempotency-key': randomUUID() } });
    expect(ok(bare)).toMatchObject({ replayed: false });
  });

  it('leaves nothing in the data folder that is the key', async () => {
    const { key } = await mint(await add('a', 'grace'), randomUUID());
    const { readFileSync, readdirSync } = await import('node:fs');
    for (const name of readdirSync(hub.folder.path)) expect(readFileSync(`${hub.folder.path}/${name}`).includes(key), name).toBe(false);
  });
});

describe('a key in its window', () => {
  it('changes nothing any more once the new one is in use, and still sends heartbeats', async () => {
    const [old, fresh] = [await add('a', 'grace', HOUR), newKey()];
    await register(old, fresh);
    await whoami(fresh);
    now += HOUR / 2;
    refused(await post('register', old, { sha256: sha256(newKey()) }), 403, 'forbidden');
    refused(await post('mint', old, {}, { 'idempotency-key': randomUUID() }), 403, 'forbidden');
    refused(await post('retire', old, { fingerprint: print(fresh) }), 403, 'forbidden');
    const { detail } = problemOf(await post('retire', old, { fingerprint: print(fresh) }));
    expect(detail).toContain(`fingerprint ${print(fresh)} has taken the place`);
    expect(detail).toContain(`may send heartbeats until ${rfc(now + HOUR / 2)}`);
    // What changes nothing is answered as before: the first answer may have been lost.
    expect(await register(old, fresh)).toMatchObject({ fingerprint: print(fresh), slot: 'current' });
    expect(await retire(old, print(newKey()))).toMatchObject({ retired: false });
    ok(await hub.post(packed([heartbeat()]), {}, old));
    expect(await slots(old, fresh)).toEqual(['previous', 'current']);
    now += HOUR / 2;
    expect(await slots(old, fresh)).toEqual([401, 'current']);
  });

  it('comes back when the current one registers it: they change places', async () => {
    const [old, fresh] = [await add('a', 'grace', HOUR), newKey()];
    await register(old, fresh);
    await whoami(fresh);
    now += HOUR / 2;
    expect(await register(fresh, old)).toMatchObject({
      fingerprint: print(old),
      slot: 'current',
      previous_key_valid_until: rfc(now + HOUR),
    });
    expect(await slots(old, fresh)).toEqual(['current', 'previous']);
    expect(await register(fresh, old)).toMatchObject({
      fingerprint: print(old),
      slot: 'current',
      previous_key_valid_until: rfc(now + HOUR),
    });
    refused(await post('retire', fresh, { fingerprint: print(old) }), 403, 'forbidden');
    now += HOUR;
    expect(await slots(old, fresh)).toEqual(['current', 401]);
  });

  it('that was gone back from keeps its say until the one that came back is used', async () => {
    const [old, fresh] = [await add('a', 'grace', HOUR), newKey()];
    await register(old, fresh);
    await whoami(fresh);
    await register(fresh, old);
    const other = newKey();
    expect(await register(fresh, other)).toMatchObject({ fingerprint: print(other), slot: 'current' });
    expect(await slots(fresh, other)).toEqual(['previous', 'current']);
  });
});

describe('retire', () => {
  it('ends the old key, once, and never the one that asks', async () => {
    const [old, fresh] = [await add('a', 'grace'), newKey()];
    await register(old, fresh);
    expect(await retire(fresh, print(old))).toEqual({ fingerprint: print(old), retired: true });
    expect(await slots(old, fresh)).toEqual([401, 'current']);
    expect(await retire(fresh, print(old))).toEqual({ fingerprint: print(old), retired: false });
    refused(await post('retire', fresh, { fingerprint: print(fresh) }), 409, 'key_in_use');
    expect(await slots(fresh)).toEqual(['current']);
  });

  it('of the new key by the old one is the way back', async () => {
    const [old, fresh] = [await add('a', 'grace', HOUR), newKey()];
    await register(old, fresh);
    expect((await retire(old, print(fresh))).retired).toBe(true);
    now += 10 * HOUR;
    expect(await slots(old, fresh)).toEqual(['current', 401]);
  });

  it('touches no key of another server', async () => {
    const [a, b] = [await add('a', 'multi'), await add('b', 'multi')];
    expect(await retire(a, print(b))).toEqual({ fingerprint: print(b), retired: false });
    expect(await slots(b)).toEqual(['current']);
  });
});

describe('a key that ended', () => {
  const told = async (key: string) => problemOf(await hub.call('/api/v1/whoami', { key })).detail;

  it('is told so by its fingerprint, time and cause, and is counted for its server', async () => {
    const registry = hub.registry;
    const replaced = await add('a', 'immediate');
    const at = rfc(now);
    const { key } = await rotateKey(registry, 'a');
    now += 5_000;
    expect(await told(replaced)).toBe(`The key with fingerprint ${print(replaced)} ended at ${at}: it was replaced.`);
    refused(await hub.post(packed([heartbeat()]), {}, replaced), 401, 'key_refused');
    for (const what of ['register', 'mint', 'retire']) refused(await post(what, replaced, {}), 401, 'key_refused');
    await expect.poll(async () => (await showServer(registry, 'a')).refused).toEqual({ 401: 4 });
    expect(await listKeys(registry, 'a')).toMatchObject([{ fingerprint: print(key) }]);
    expect(await told(newKey())).toBe('This key is not known here.');
    await removeServer(registry, 'a');
    expect(await told(replaced)).toContain('it was replaced');
    expect(await told(key)).toBe(`The key with fingerprint ${print(key)} ended at ${rfc(now)}: its server was removed.`);
  });

  it('may be asked about without being counted: a rotation makes sure that the old key is dead', async () => {
    const old = await add('a', 'immediate');
    await rotateKey(hub.registry, 'a');
    for (let count = 0; count < 3; count++) await told(old);
    refused(await hub.post(packed([heartbeat()]), {}, old), 401, 'key_refused');
    await expect.poll(async () => (await showServer(hub.registry, 'a')).refused).toEqual({ 401: 1 });
  });

  it('is told how: retired by its agent or by hand, deleted, or its window over', async () => {
    const registry = hub.registry;
    const first = await add('a', 'grace', HOUR);
    const { key: second } = await rotateKey(registry, 'a');
    await retire(second, print(first));
    expect(await told(first)).toContain(`ended at ${rfc(now)}: it was retired`);
    const { key: third } = await rotateKey(registry, 'a');
    await retireKeys(registry, 'a');
    expect(await told(second)).toContain('it was retired');
    await rotateKey(registry, 'a');
    const over = now + HOUR;
    now += 2 * HOUR;
    expect(await told(third)).toContain(`was valid until ${rfc(over)}`);
    await rotateKey(registry, 'a');
    expect(await told(third)).toContain(`ended at ${rfc(over)}: it was replaced`);
    const many = await add('b', 'multi');
    await rotateKey(registry, 'b');
    await changeKey(registry, 'b', print(many), { action: 'delete', force: false });
    expect(await told(many)).toContain('it was deleted');
  });

  it('cannot be registered again, by its own server or another one', async () => {
    for (const policy of ['immediate', 'multi'] as const) {
      const old = await add(policy, policy);
      const fresh = newKey();
      await register(old, fresh);
      if (policy === 'multi') await retire(fresh, print(old));
      const other = await add(`other-${policy}`, 'grace');
      for (const key of [fresh, other]) {
        const answer = await post('register', key, { sha256: sha256(old) });
        refused(answer, 409, 'key_exists');
        expect(problemOf(answer).detail).toContain('has ended');
      }
      expect(await slots(old, fresh, other)).toEqual([401, 'current', 'current']);
    }
  });
});

describe('every route', () => {
  it.each(['register', 'mint', 'retire'])('%s refuses what it does not take', async (what) => {
    const key = await add('a', 'grace');
    const headers = { 'idempotency-key': randomUUID() };
    refused(await post(what, null, {}, headers), 401, 'key_missing');
    refused(await post(what, newKey(), {}, headers), 401, 'key_refused');
    refused(await post(what, key, '{', headers), 400, 'bad_request');
    refused(await post(what, key, { key: newKey() }, headers), 400, 'key_invalid');
    refused(await post(what, key, ['x'], headers), 400, 'key_invalid');
    refused(await post(what, key, '{}', { ...headers, 'content-type': 'text/plain' }), 415, 'unsupported_type');
    refused(await post(what, key, JSON.stringify({ sha256: 'x'.repeat(16_384) }), headers), 413, 'body_too_large');
    refused(await hub.call(`/api/v1/keys/${what}`, { key }), 405, 'method_not_allowed');
    expect(await listKeys(hub.registry, 'a')).toMatchObject([{ slot: 'current' }]);
  });

  it('repeats no key that was put into a body by mistake', async () => {
    const [key, mistake] = [await add('a', 'grace'), newKey()];
    const answer = await post('register', key, { sha256: `${mistake}x`, [mistake]: 1 });
    refused(answer, 400, 'key_invalid');
    expect(answer.text).not.toContain(mistake);
  });

  it('refuses the key of a server that is removed meanwhile, and a key that ends between the door and the lock', async () => {
    const a = await add('a', 'grace');
    const { store } = hub.serving.hub;
    const { useKey } = store;
    store.useKey = async (...args) => {
      await removeServer(hub.registry, 'a').catch(() => {});
      return useKey.apply(store, args);
    };
    refused(await post('register', a, { sha256: sha256(newKey()) }), 401, 'key_refused');
    const ends = [(key: ServerKey) => ({ drop: [key.id] }), (key: ServerKey) => ({ put: [{ ...key, enabled: false }] })];
    for (const [index, end] of ends.entries()) {
      const { server_id, key } = await addServer(hub.registry, `b${index}`, 'immediate', 0);
      store.useKey = async () => store.changeKeys(server_id, (keys) => end(keys[0] as ServerKey));
      const fresh = newKey();
      refused(await post('register', key, { sha256: sha256(fresh) }), 401, 'key_refused');
      store.useKey = useKey;
      expect(await slots(fresh)).toEqual([401]);
    }
  });

  it('leaves its line in the audit trail, with fingerprints and the address, and never a key', async () => {
    const [old, fresh] = [await add('a', 'grace'), newKey()];
    await register(old, fresh);
    await register(old, fresh);
    const minted = await mint(fresh, randomUUID());
    await retire(minted.key, print(fresh));
    const lines = await hub.serving.hub.store.auditTrail('default', 1, 100);
    for (const [index, line] of lines.entries()) expect(faultOf(line, lines[index - 1] ?? null)).toBeUndefined();
    expect(lines.slice(-3)).toMatchObject([
      { action: 'key.register', detail: { by: print(old), key: print(fresh), until: `${print(old)} ${rfc(now + GRACE)}` } },
      { action: 'key.mint', detail: { by: print(fresh), key: minted.fingerprint, ended: print(old) } },
      { action: 'key.retire', detail: { by: minted.fingerprint, key: print(fresh), ended: print(fresh) } },
    ]);
    for (const line of lines.slice(-3))
      expect(line).toMatchObject({ actor: 'agent:a', subject: 'server:a', address: '127.0.0.1', at: now });
    for (const key of [old, fresh, minted.key]) expect(JSON.stringify(lines)).not.toContain(key);
  });
});
