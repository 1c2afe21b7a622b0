import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type AuditEntry,
  type AuditLine,
  ENDED_KEPT_MS,
  type Founder,
  MINT_KEPT_MS,
  type Mint,
  type OrgCredential,
  type Server,
  type ServerKey,
  type Store,
} from '../../../src/hub/store/store.ts';
import { faultOf } from '../../../src/support/chain.ts';
import { hash, incoming, registered } from './store-suite.ts';

/** A further key of a server. */
function anotherKey(serverId: string, over: Partial<ServerKey> = {}): ServerKey {
  return { ...registered('x').key, serverId, hash: hash(), createdAt: 2_000, ...over };
}

function credential(name: string, over: Partial<OrgCredential> = {}): OrgCredential {
  const kid = randomBytes(32).toString('base64url');
  return {
    id: randomUUID(),
    org: 'default',
    name,
    role: 'member',
    scopes: ['heartbeats', 'keys'],
    kid,
    publicKey: 'x',
    enabled: true,
    createdAt: 1,
    expiresAt: null,
    lastUsed: null,
    ...over,
  };
}

const entry = (action: string): AuditEntry => ({
  org: 'default',
  at: 5,
  actor: 'cli:ann',
  action,
  subject: 'server:a',
  detail: { key: 'f' },
  address: null,
});

const founder = (over: Partial<Founder> = {}): Founder => ({
  actor: 'credential:ci-v2',
  family: 'ci',
  address: '::1',
  most: null,
  ...over,
});

function expectChain(lines: AuditLine[]): void {
  for (const [index, line] of lines.entries()) expect(faultOf(line, lines[index - 1] ?? null)).toBeUndefined();
}

/** What every store must do with keys, credentials and the audit trail; `store` gives the one of the test that runs. */
export function describeChanges(store: () => Store, reopen: () => Promise<void>): void {
  async function add(name: string): Promise<{ server: Server; key: ServerKey }> {
    const made = registered(name);
    await store().addServer(made.server, made.key);
    return made;
  }
  const actions = async () => (await store().auditTrail('default', 1, 100)).map((line) => line.action);

  describe('changeKeys', () => {
    it('writes, replaces and deletes keys with their line and their mint', async () => {
      const { server, key } = await add('a');
      const one = anotherKey(server.id, { name: 'one', validUntil: 9_000, lastUsed: 3, enabled: false, slot: 'next' });
      const mint: Mint = { id: hash(), serverId: server.id, sealed: Uint8Array.from([1, 2, 3]), until: 99 };
      const seen: ServerKey[][] = [];
      await store().changeKeys(server.id, (keys) => {
        seen.push(keys);
        return { put: [one, { ...key, slot: 'previous' }], audit: entry('key.rotate'), mint };
      });
      await reopen();
      expect(seen).toEqual([[key]]);
      expect(await store().keys(server.id)).toEqual([{ ...key, slot: 'previous' }, one]);
      expect(await store().findKey(one.hash)).toEqual({ server, key: one });
      expect(await store().mint(mint.id)).toEqual(mint);
      expect(await store().mint(hash())).toBeUndefined();
      await store().changeKeys(server.id, () => ({ drop: [key.id, 'none'], audit: entry('key.retire') }));
      expect(await store().keys(server.id)).toEqual([one]);
      expect(await store().findKey(key.hash)).toBeUndefined();
      expect(await actions()).toEqual(['key.rotate', 'key.retire']);
    });

    it('is undone as a whole by what is thrown, and by a key that is another server\u2019s', async () => {
      const [a, b] = [await add('a'), await add('b')];
      const thrown = store().changeKeys(a.server.id, () => {
        throw new Error('no');
      });
      await expect(thrown).rejects.toThrow('no');
      const taken = anotherKey(a.server.id, { hash: b.key.hash });
      const change = store().changeKeys(a.server.id, () => ({ drop: [a.key.id], put: [taken], audit: entry('key.rotate') }));
      await expect(change).rejects.toMatchObject({ code: 'HUB_KEY_EXISTS' });
      await expect(store().changeKeys('none', () => ({}))).rejects.toMatchObject({ code: 'HUB_SERVER_UNKNOWN' });
      expect(await store().keys(a.server.id)).toEqual([a.key]);
      expect(await actions()).toEqual([]);
    });

    it('lists the keys of every server of an organisation, the oldest first', async () => {
      const [a, b] = [await add('a'), await add('b')];
      const young = anotherKey(a.server.id, { createdAt: a.key.createdAt + 1 });
      await store().changeKeys(a.server.id, () => ({ put: [young] }));
      const found = await store().keysOf('default');
      expect(found).toHaveLength(3);
      expect(found).toEqual(expect.arrayContaining([a.key, b.key, young]));
      expect(found.at(-1)).toEqual(young);
      expect(await store().keysOf('none')).toEqual([]);
    });

    it('deletes no key of another server', async () => {
      const [a, b] = [await add('a'), await add('b')];
      await store().changeKeys(a.server.id, () => ({ drop: [b.key.id] }));
      expect(await store().keys(b.server.id)).toEqual([b.key]);
    });

    it('remembers keys that ended, with when and how, lists them no more and never takes them again', async () => {
      const { server, key } = await add('a');
      const over = anotherKey(server.id, { validUntil: 500 });
      const still = anotherKey(server.id, { validUntil: 9_000 });
      await store().changeKeys(server.id, () => ({ put: [over, still] }));
      const ended = { at: 1_000, how: 'deleted' as const };
      await store().changeKeys(server.id, () => ({ drop: [key.id, over.id, still.id], ended }));
      await reopen();
      expect(await store().keys(server.id)).toEqual([]);
      expect(await store().endedKey(key.hash)).toEqual({ hash: key.hash, server, endedAt: 1_000, how: 'deleted' });
      expect(await store().endedKey(over.hash)).toEqual({ hash: over.hash, server, endedAt: 500, how: 'replaced' });
      expect(await store().endedKey(still.hash)).toMatchObject({ endedAt: 1_000, how: 'deleted' });
      expect(await store().endedKey(hash())).toBeUndefined();
      const list = (await store().endedKeys(server.id)).map((one) => [one.hash, one.endedAt, one.how]);
      expect(list[2]).toEqual([over.hash, 500, 'replaced']);
      expect(new Set(list.map(([which]) => which))).toEqual(new Set([key.hash, still.hash, over.hash]));
      const b = await add('b');
      for (const { id } of [server, b.server]) {
        const back = store().changeKeys(id, () => ({ put: [anotherKey(id, { hash: key.hash })], audit: entry('key.register') }));
        await expect(back).rejects.toMatchObject({ code: 'HUB_KEY_ENDED' });
      }
      await expect(store().addServer(registered('c').server, { ...b.key, hash: key.hash })).rejects.toMatchObject({
        code: 'HUB_KEY_ENDED',
      });
      expect(await actions()).toEqual([]);
    });

    it('ends no key where a change is undone, and none of another server', async () => {
      const [a, b] = [await add('a'), await add('b')];
      const ended = { at: 1_000, how: 'replaced' as const };
      const taken = anotherKey(a.server.id, { hash: b.key.hash });
      await expect(store().changeKeys(a.server.id, () => ({ drop: [a.key.id], put: [taken], ended }))).rejects.toThrow();
      await store().changeKeys(a.server.id, () => ({ drop: [b.key.id], ended }));
      for (const { key } of [a, b]) {
        expect(await store().endedKey(key.hash)).toBeUndefined();
        expect(await store().findKey(key.hash)).toBeDefined();
      }
    });

    it('remembers the keys of a server that was removed, for as long as any', async () => {
      const { server, key } = await add('a');
      const retired = anotherKey(server.id);
      await store().changeKeys(server.id, () => ({ put: [retired] }));
      await store().changeKeys(server.id, () => ({ drop: [retired.id], ended: { at: 4, how: 'retired' } }));
      await store().removeServer(server.id, { ...entry('server.remove'), at: 6 });
      expect(await store().endedKey(key.hash)).toEqual({ hash: key.hash, server: undefined, endedAt: 6, how: 'removed' });
      expect(await store().endedKey(retired.hash)).toEqual({ hash: retired.hash, server: undefined, endedAt: 4, how: 'retired' });
      await store().prune(5 + ENDED_KEPT_MS, 1e9);
      expect(await store().endedKey(retired.hash)).toBeUndefined();
      expect(await store().endedKey(key.hash)).toBeDefined();
      await store().prune(7 + ENDED_KEPT_MS, 1e9);
      expect(await store().endedKey(key.hash)).toBeUndefined();
    });

    it('takes the same mint once, and again when the day is over; pruning and removal forget it', async () => {
      const { server } = await add('a');
      const mint = (until: number): Mint => ({ id: 'm', serverId: server.id, sealed: Uint8Array.from([until & 255]), until });
      const put = (until: number) => store().changeKeys(server.id, () => ({ mint: mint(until), audit: entry('key.mint') }));
      await put(1_000);
      await expect(put(1_000 + MINT_KEPT_MS - 1)).rejects.toMatchObject({ code: 'HUB_KEY_EXISTS' });
      expect(await store().mint('m')).toEqual(mint(1_000));
      await put(1_000 + MINT_KEPT_MS);
      expect(await actions()).toEqual(['key.mint', 'key.mint']);
      await store().prune(1_000 + MINT_KEPT_MS, 1e9);
      expect(await store().mint('m')).toBeDefined();
      await store().prune(1_001 + MINT_KEPT_MS, 1e9);
      expect(await store().mint('m')).toBeUndefined();
      await put(5);
      await store().removeServer(server.id);
      expect(await store().mint('m')).toBeUndefined();
    });
  });

  it('the first use of a `next` key makes it the current one, of its own server only', async () => {
    const [a, b] = [await add('a'), await add('b')];
    const [next, other] = [anotherKey(a.server.id, { slot: 'next' }), anotherKey(a.server.id, { slot: 'next', createdAt: 3_000 })];
    await store().changeKeys(a.server.id, () => ({ put: [next, other] }));
    const slots = async () => (await store().keys(a.server.id)).map(({ slot }) => slot);
    await store().useKey(next, 10_000);
    expect(await slots()).toEqual(['previous', 'current', 'next']);
    await store().useKey(next, 20_000);
    expect(await slots()).toEqual(['previous', 'current', 'next']);
    await store().accept(a.server, other, [incoming(randomUUID(), 1)], 10_000);
    expect(await slots()).toEqual(['previous', 'previous', 'current']);
    expect(await store().keys(b.server.id)).toMatchObject([{ slot: 'current' }]);
  });

  it('servers and users come and go with their lines', async () => {
    const { server, key } = registered('a');
    await store().addServer(server, key, entry('server.add'));
    await expect(store().addServer(registered('a').server, key, entry('server.add'))).rejects.toThrow();
    const user = { id: randomUUID(), org: 'default', name: 'ann', role: 'admin' as const, passwordHash: 'x' };
    await store().addUser(user, entry('user.add'));
    await expect(store().addUser({ ...user, id: randomUUID() }, entry('user.add'))).rejects.toThrow();
    await store().removeServer(server.id, entry('server.remove'));
    await store().removeServer(server.id, entry('server.remove'));
    expect(await actions()).toEqual(['server.add', 'user.add', 'server.remove']);
  });

  it('serverForHost registers a server without a key, once, with its line', async () => {
    const made = (await store().serverForHost('default', 'web-1', 7, founder())) as Server;
    expect(made).toEqual({ id: expect.any(String), org: 'default', name: 'web-1', policy: 'multi', graceMs: 0, createdAt: 7 });
    await reopen();
    expect(await store().serverForHost('default', 'web-1', 8, founder())).toEqual(made);
    expect(await store().keys(made.id)).toEqual([]);
    const { server } = await add('a');
    expect(await store().serverForHost('default', 'a', 8, founder({ most: 0 }))).toEqual(server);
    expect(await store().auditTrail('default', 1, 9)).toMatchObject([
      { at: 7, actor: 'credential:ci-v2', action: 'server.add', subject: 'server:web-1', address: '::1' },
    ]);
  });

  it('serverForHost registers as many servers as a family of credentials may have, and again when one was removed', async () => {
    await add('a');
    const ask = (name: string, over: Partial<Founder> = {}) => store().serverForHost('default', name, 7, founder({ most: 2, ...over }));
    const asked = await Promise.all(['x', 'y', 'z', 'x'].map((name, index) => ask(name, { actor: `credential:ci-v${index + 2}` })));
    // Whichever come first: two of the three, and one of them once.
    const names = asked.filter((server) => server !== undefined);
    expect(new Set(names.map((server) => server.id)).size).toBe(2);
    expect(asked[3]).toEqual(asked[0]);
    expect((await ask('q', { family: 'other' }))?.name).toBe('q');
    expect(await ask('w')).toBeUndefined();
    await store().removeServer((names[0] as Server).id);
    expect((await ask('w'))?.name).toBe('w');
    expect(await ask('v')).toBeUndefined();
    expect((await ask('v', { most: null }))?.name).toBe('v');
    expect(await actions()).toEqual(Array(5).fill('server.add'));
  });

  describe('credentials', () => {
    it('are kept by name, found by key id, replaced and deleted', async () => {
      const [b, a] = [credential('b', { enabled: false, expiresAt: 9, lastUsed: 3 }), credential('a', { role: 'admin', scopes: [] })];
      await store().changeCredentials('default', (all) => {
        expect(all).toEqual([]);
        return { put: [b, a], audit: entry('credential.add') };
      });
      await reopen();
      expect(await store().credentials('default')).toEqual([a, b]);
      expect(await store().credentialByKid(b.kid)).toEqual(b);
      expect(await store().credentialByKid('none')).toBeUndefined();
      await store().changeCredentials('default', () => ({
        put: [{ ...a, name: 'c', enabled: false }],
        drop: [b.id],
        audit: entry('credential.rename'),
      }));
      expect(await store().credentials('default')).toEqual([{ ...a, name: 'c', enabled: false }]);
      expect(await actions()).toEqual(['credential.add', 'credential.rename']);
    });

    it('whose name or public key is taken are refused, and what is thrown undoes all', async () => {
      const a = credential('a');
      await store().changeCredentials('default', () => ({ put: [a] }));
      const refused = (other: OrgCredential, what: RegExp) =>
        expect(store().changeCredentials('default', () => ({ put: [other], audit: entry('x') }))).rejects.toMatchObject({
          code: 'HUB_CREDENTIAL_EXISTS',
          message: expect.stringMatching(what),
        });
      await refused(credential('a'), /the name `a`/);
      await refused(credential('b', { kid: a.kid }), /this key/);
      const thrown = store().changeCredentials('default', () => {
        throw new Error('no');
      });
      await expect(thrown).rejects.toThrow('no');
      expect(await store().credentials('default')).toEqual([a]);
      expect(await actions()).toEqual([]);
    });

    it('note their last use like keys, by themselves and with heartbeats', async () => {
      const one = credential('a');
      await store().changeCredentials('default', () => ({ put: [one] }));
      const server = (await store().serverForHost('default', 'web-1', 1, founder())) as Server;
      const use = { id: one.id, hash: hash(), slot: 'current' as const, lastUsed: null };
      const used = async () => (await store().credentialByKid(one.kid))?.lastUsed;
      await store().useKey(use, 10_000);
      expect(await used()).toBe(10_000);
      await store().useKey(use, 12_000);
      expect(await used()).toBe(10_000);
      await store().accept(server, use, [incoming(randomUUID(), 1)], 20_000);
      expect(await used()).toBe(20_000);
      expect(await store().standing('default', 'web-1')).toMatchObject({ key: { fingerprint: use.hash.slice(0, 12), slot: 'current' } });
    });
  });

  describe('the audit trail', () => {
    it('is chained through every kind of line, read in pages, and goes on after a reopening', async () => {
      const { server } = await add('a');
      await store().audit(entry('server.add'));
      await store().changeKeys(server.id, () => ({ audit: entry('key.rotate') }));
      await reopen();
      await store().changeCredentials('default', () => ({ audit: { ...entry('credential.add'), address: '::1', detail: {} } }));
      await store().serverForHost('default', 'h', 3, founder());
      const all = await store().auditTrail('default', 1, 100);
      expect(all.map((line) => line.seq)).toEqual([1, 2, 3, 4]);
      expectChain(all);
      const { org, ...line } = entry('server.add');
      expect(org).toBe('default');
      expect(all[0]).toMatchObject(line);
      expect(await store().auditTrail('default', 2, 2)).toEqual(all.slice(1, 3));
      expect(await store().auditTrail('default', 5, 2)).toEqual([]);
    });

    it('keeps one order when many write at once', async () => {
      const { server } = await add('a');
      const writes = Array.from({ length: 40 }, (_, i) =>
        i % 2 ? store().audit(entry(`x${i}`)) : store().changeKeys(server.id, () => ({ audit: entry(`x${i}`) })),
      );
      await Promise.all(writes);
      const all = await store().auditTrail('default', 1, 100);
      expect(all).toHaveLength(40);
      expectChain(all);
    });
  });
}
