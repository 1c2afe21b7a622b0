import { describe, expect, it } from 'vitest';
import type { AuditEntry, Server, ServerKey, Store, Token } from '../../../src/hub/store/store.ts';
import { hash, registered } from './store-suite.ts';

function tokenFor(serverName: string, over: Partial<Token> = {}): Token {
  const times = { createdAt: 1, expiresAt: 9, usedAt: null, usedFor: null };
  return { hash: hash(), org: 'default', serverName, policy: 'grace', graceMs: 5, ...times, ...over };
}

const entry = (action: string): AuditEntry => ({
  org: 'default',
  at: 5,
  actor: 'cli:ann',
  action,
  subject: 'server:a',
  detail: {},
  address: null,
});

/** What every store must do with tokens; `store` gives the one of the test that runs. */
export function describeTokens(store: () => Store, reopen: () => Promise<void>): void {
  const actions = async () => (await store().auditTrail('default', 1, 100)).map((line) => line.action);

  describe('tokens', () => {
    it('are kept, listed newest first, and forgotten, each with its line', async () => {
      const [old, fresh] = [tokenFor('a'), tokenFor('b', { createdAt: 2, usedAt: 3, usedFor: hash() })];
      await store().addToken(old, entry('token.create'));
      await store().addToken(fresh);
      await reopen();
      expect(await store().tokens('default')).toEqual([fresh, old]);
      expect(await store().removeToken(old.hash, entry('token.revoke'))).toBe(true);
      expect(await store().removeToken(old.hash, entry('token.revoke'))).toBe(false);
      expect(await store().tokens('default')).toEqual([fresh]);
      expect(await actions()).toEqual(['token.create', 'token.revoke']);
    });

    it('register a server with its key, or change the keys of the one there is, in one step', async () => {
      const { server, key } = registered('a');
      const token = tokenFor('a');
      await store().addToken(token);
      const seen: unknown[] = [];
      const used = { ...token, usedAt: 4, usedFor: key.hash };
      await store().enroll(token.hash, (...given) => {
        seen.push(given);
        return { token: used, register: server, put: [key], audit: entry('server.enroll') };
      });
      await reopen();
      expect(await store().findKey(key.hash)).toEqual({ server, key });
      const another = { ...registered('x').key, serverId: server.id };
      await store().enroll(token.hash, (...given) => {
        seen.push(given);
        return { token: used, drop: [key.id], put: [another], ended: { at: 6, how: 'replaced' } };
      });
      expect(seen).toEqual([
        [token, undefined, []],
        [used, server, [key]],
      ]);
      expect(await store().keys(server.id)).toEqual([another]);
      expect(await store().endedKey(key.hash)).toMatchObject({ endedAt: 6, how: 'replaced' });
      expect(await store().tokens('default')).toEqual([used]);
      expect(await actions()).toEqual(['server.enroll']);
    });

    it('leave all as it was where nothing is decided, something is thrown, or the key is another server\u2019s', async () => {
      const [a, b] = [registered('a'), registered('b')];
      await store().addServer(a.server, a.key);
      const token = tokenFor('b');
      await store().addToken(token);
      const unknown: unknown[] = [];
      await store().enroll(hash(), (...given) => void unknown.push(given));
      expect(unknown).toEqual([[undefined, undefined, []]]);
      const thrown = store().enroll(token.hash, () => {
        throw new Error('no');
      });
      await expect(thrown).rejects.toThrow('no');
      const put = (server: Server, key: ServerKey) =>
        store().enroll(token.hash, () => ({ token: { ...token, usedAt: 1 }, register: server, put: [key], audit: entry('x') }));
      await expect(put(b.server, { ...b.key, hash: a.key.hash })).rejects.toMatchObject({ code: 'HUB_KEY_EXISTS' });
      expect(await store().servers('default')).toEqual([a.server]);
      expect(await store().tokens('default')).toEqual([token]);
      expect(await actions()).toEqual([]);
    });

    it('go with the server of their name, and a week after they ended', async () => {
      const day = 86_400_000;
      const { server, key } = registered('a');
      await store().addServer(server, key);
      for (const token of [tokenFor('a'), tokenFor('b', { expiresAt: 10 })]) await store().addToken(token);
      await store().removeServer(server.id);
      expect(await store().tokens('default')).toMatchObject([{ serverName: 'b' }]);
      await store().prune(10 + 7 * day, 1e9);
      expect(await store().tokens('default')).toHaveLength(1);
      await store().prune(11 + 7 * day, 1e9);
      expect(await store().tokens('default')).toEqual([]);
    });
  });
}
