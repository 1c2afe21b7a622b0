import { createHash, randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Incoming, Server, ServerKey, Store } from '../../../src/hub/store/store.ts';
import { describeChanges } from './store-suite-keys.ts';
import { describeOrganisations } from './store-suite-organisations.ts';
import { describeStream } from './store-suite-stream.ts';
import { describeTokens } from './store-suite-tokens.ts';

/** Of a key that nobody has. */
export const hash = () => createHash('sha256').update(randomBytes(32)).digest('hex');

/** A server and its key, as servers.ts makes them. */
export function registered(name: string): { server: Server; key: ServerKey } {
  const server: Server = { id: randomUUID(), org: 'default', name, policy: 'grace', graceMs: 86_400_000, createdAt: 1_000 };
  const key: ServerKey = {
    id: randomUUID(),
    serverId: server.id,
    name: null,
    hash: hash(),
    slot: 'current',
    enabled: true,
    createdAt: 1_000,
    validUntil: null,
    lastUsed: null,
  };
  return { server, key };
}

/** A heartbeat on its way into the store. */
export function incoming(instance: string, sequence: number, over: Partial<Incoming> = {}): Incoming {
  const frame = Uint8Array.from([sequence & 0xff, sequence >> 8]);
  return { instance, sequence, time: sequence * 10, interval: 10, frame, inventory: null, agentVersion: '1', hostName: 'h', ...over };
}

/** What every store must do; `open` gives an empty one, `reopen` the same data anew. */
export function describeStore(name: string, open: () => Promise<Store>, reopen: (store: Store) => Promise<Store>, clean: () => void): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
      clean();
    });

    async function add(name: string): Promise<{ server: Server; key: ServerKey }> {
      const made = registered(name);
      await store.addServer(made.server, made.key);
      return made;
    }

    it('keeps its identity', async () => {
      const id = await store.serviceId();
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      store = await reopen(store);
      expect(await store.serviceId()).toBe(id);
    });

    it('keeps servers and keys, finds them and forgets them', async () => {
      const b = await add('b');
      const a = await add('a');
      store = await reopen(store);
      expect(await store.servers('default')).toEqual([a.server, b.server]);
      expect(await store.serverByName('default', 'b')).toEqual(b.server);
      expect(await store.serverByName('default', 'c')).toBeUndefined();
      expect(await store.keys(a.server.id)).toEqual([a.key]);
      expect(await store.findKey(b.key.hash)).toEqual({ server: b.server, key: b.key });
      expect(await store.findKey(hash())).toBeUndefined();
      expect(await store.size()).toEqual({ servers: 2, bytes: expect.any(Number) });
      await store.removeServer(b.server.id);
      await store.removeServer(b.server.id);
      expect(await store.findKey(b.key.hash)).toBeUndefined();
      expect(await store.servers('default')).toEqual([a.server]);
    });

    it('refuses a second server of a name, and leaves nothing of it', async () => {
      await add('a');
      const again = registered('a');
      await expect(store.addServer(again.server, again.key)).rejects.toMatchObject({ code: 'HUB_SERVER_EXISTS' });
      expect(await store.findKey(again.key.hash)).toBeUndefined();
    });

    it('accepts once, counts duplicates, and tells where the gaps are', async () => {
      const { server, key } = await add('a');
      const id = randomUUID();
      const take = (...sequences: number[]) =>
        store.accept(
          server,
          key,
          sequences.map((sequence) => incoming(id, sequence)),
          5_000,
        );
      expect(await take(5, 6)).toEqual({ accepted: 2, duplicates: 0 });
      expect(await take(6, 9, 9)).toEqual({ accepted: 1, duplicates: 2 });
      expect(await take(2)).toEqual({ accepted: 1, duplicates: 0 });
      store = await reopen(store);
      const [seen] = await store.instances(server.id);
      expect(seen).toEqual({
        id,
        serverId: server.id,
        firstSequence: 2,
        lastSequence: 9,
        accepted: 4,
        duplicates: 2,
        gaps: [
          [3, 4],
          [7, 8],
        ],
      });
    });

    it('agrees with a plain set, whatever the order and the repeats', async () => {
      const { server, key } = await add('a');
      const batches = fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(batches, fc.boolean(), async (rounds, atOnce) => {
          const id = randomUUID();
          const sent = rounds.map(
            (batch) => () =>
              store.accept(
                server,
                key,
                batch.map((one) => incoming(id, one)),
                5_000,
              ),
          );
          const counts = atOnce ? await Promise.all(sent.map((send) => send())) : [];
          if (!atOnce) for (const send of sent) counts.push(await send());

          const seen = new Set<number>();
          for (const [index, batch] of rounds.entries()) {
            const before = seen.size;
            for (const one of batch) seen.add(one);
            const accepted = seen.size - before;
            expect(counts[index]).toEqual({ accepted, duplicates: batch.length - accepted });
          }
          const found = (await store.instances(server.id)).find((one) => one.id === id);
          const first = Math.min(...seen);
          const last = Math.max(...seen);
          expect(found).toMatchObject({ firstSequence: first, lastSequence: last, accepted: seen.size });
          expect(found?.duplicates).toBe(rounds.flat().length - seen.size);
          const missing = found?.gaps.flatMap(([low, high]) => Array.from({ length: high - low + 1 }, (_, index) => low + index));
          const wanted = Array.from({ length: last - first + 1 }, (_, index) => first + index).filter((one) => !seen.has(one));
          expect(missing).toEqual(wanted);
          // As few ranges as there can be: no two of them touch.
          expect(found?.gaps.some(([, high], index) => found.gaps[index + 1]?.[0] === high + 1)).toBe(false);
        }),
        { numRuns: 60 },
      );
    });

    it('keeps ten thousand gaps of an instance, the highest ones', async () => {
      const { server, key } = await add('a');
      const id = randomUUID();
      const odd = Array.from({ length: 10_050 }, (_, index) => incoming(id, 2 * index + 1));
      await store.accept(server, key, odd.slice(0, 10_000), 1);
      await store.accept(server, key, odd.slice(10_000), 1);
      const gaps = (await store.instances(server.id))[0]?.gaps ?? [];
      expect([gaps.length, gaps[0], gaps.at(-1)]).toEqual([10_000, [100, 100], [20_098, 20_098]]);
      expect(await store.accept(server, key, [incoming(id, 98), incoming(id, 100)], 1)).toEqual({ accepted: 1, duplicates: 1 });
    });

    it('forgets instances that are heard from no more, with their gaps, after 90 days and the window', async () => {
      const { server, key } = await add('a');
      const [day, gone, alive] = [86_400_000, randomUUID(), randomUUID()];
      await store.accept(server, key, [incoming(gone, 1), incoming(gone, 5)], day);
      await store.accept(server, key, [incoming(alive, 1)], 2 * day);
      await store.prune(91 * day, 1e9);
      expect(await store.instances(server.id)).toHaveLength(2);
      // Not oftener than once an hour, whatever the time that is given.
      await store.prune(91 * day + 1, 1e9);
      expect(await store.instances(server.id)).toHaveLength(2);
      await store.prune(91 * day + 3_600_000, 1e9);
      expect(await store.instances(server.id)).toEqual([expect.objectContaining({ id: alive })]);
      // Should it come back after all, it begins anew.
      expect(await store.accept(server, key, [incoming(gone, 6)], 200 * day)).toEqual({ accepted: 1, duplicates: 0 });
    });

    it('keeps the instances of servers apart, even under one id', async () => {
      const [a, b] = [await add('a'), await add('b')];
      const id = randomUUID();
      expect(await store.accept(a.server, a.key, [incoming(id, 1)], 1)).toEqual({ accepted: 1, duplicates: 0 });
      expect(await store.accept(b.server, b.key, [incoming(id, 1)], 1)).toEqual({ accepted: 1, duplicates: 0 });
      expect(await store.recent(a.server.id, 0, 1e9)).toHaveLength(1);
    });

    it('takes one batch of several instances', async () => {
      const { server, key } = await add('a');
      const [one, two] = [randomUUID(), randomUUID()];
      const batch = [incoming(one, 1), incoming(two, 7), incoming(one, 2), incoming(two, 7)];
      expect(await store.accept(server, key, batch, 1)).toEqual({ accepted: 3, duplicates: 1 });
      expect((await store.instances(server.id)).map((seen) => seen.accepted)).toEqual([2, 1]);
    });

    it('refuses heartbeats of a server that is gone, and takes those of others that came along', async () => {
      const [a, b] = [await add('a'), await add('b')];
      await store.removeServer(a.server.id);
      const [gone, good] = await Promise.allSettled([
        store.accept(a.server, a.key, [incoming(randomUUID(), 1)], 1),
        store.accept(b.server, b.key, [incoming(randomUUID(), 1)], 1),
      ]);
      expect(gone).toMatchObject({ status: 'rejected', reason: { code: 'HUB_SERVER_UNKNOWN' } });
      expect(good).toMatchObject({ status: 'fulfilled', value: { accepted: 1 } });
    });

    it('gives a server that comes back under its name nothing of the old one', async () => {
      const old = await add('a');
      const id = randomUUID();
      await store.accept(old.server, old.key, [incoming(id, 1)], 1);
      await store.removeServer(old.server.id);
      const anew = await add('a');
      expect(await store.recent(anew.server.id, 0, 1e9)).toEqual([]);
      expect(await store.instances(anew.server.id)).toEqual([]);
      expect(await store.accept(anew.server, anew.key, [incoming(id, 1)], 1)).toEqual({ accepted: 1, duplicates: 0 });
    });

    it('returns frames of a span, oldest first, as they came', async () => {
      const { server, key } = await add('a');
      const id = randomUUID();
      await store.accept(server, key, [incoming(id, 3), incoming(id, 1), incoming(id, 2), incoming(id, 4)], 1);
      const found = await store.recent(server.id, 10, 40);
      expect(found.map(({ time, frame }) => [time, [...frame]])).toEqual([
        [10, [1, 0]],
        [20, [2, 0]],
        [30, [3, 0]],
      ]);
    });

    it('drops what is older than its window, and goes on knowing that it came', async () => {
      const { server, key } = await add('a');
      const id = randomUUID();
      const many = Array.from({ length: 2_500 }, (_, index) => incoming(id, index + 1));
      await store.accept(server, key, many, 1_000);
      await store.accept(server, key, [incoming(id, 2_501)], 2_000);
      expect(await store.prune(2_000, 1e9)).toEqual({ old: 2_500, excess: 0 });
      expect(await store.prune(2_000, 1e9)).toEqual({ old: 0, excess: 0 });
      expect(await store.recent(server.id, 0, 1e9)).toHaveLength(1);
      expect(await store.accept(server, key, [incoming(id, 1)], 3_000)).toEqual({ accepted: 0, duplicates: 1 });
    });

    it('drops the oldest while it takes more room than it may, and no more of them', async () => {
      const { server, key } = await add('a');
      const id = randomUUID();
      const beat = (sequence: number) => incoming(id, sequence, { frame: randomBytes(2_000) });
      for (const first of [1, 501, 1_001, 1_501, 2_001, 2_501])
        await store.accept(
          server,
          key,
          Array.from({ length: 500 }, (_, index) => beat(first + index)),
          first,
        );
      // Stores differ in what a heartbeat takes beside its frame.
      const most = (await store.size()).bytes * 0.8;
      expect(await store.prune(0, most)).toEqual({ old: 0, excess: 1_000 });
      expect((await store.recent(server.id, 0, 1e9))[0]?.time).toBe(10_010);
      expect(await store.prune(0, most)).toEqual({ old: 0, excess: 0 });
      expect(await store.instances(server.id)).toMatchObject([{ accepted: 3_000, gaps: [] }]);
    });

    it('tells the fleet: the latest heartbeat and the key it came with', async () => {
      const { server, key } = await add('a');
      expect(await store.fleet('default')).toEqual([{ server, key: null, latest: null, accepted: 0, refusedAt: null }]);
      const id = randomUUID();
      await store.accept(server, key, [incoming(id, 2, { hostName: 'new', interval: 0.02 }), incoming(id, 1, { hostName: 'old' })], 7_000);
      await store.accept(server, key, [incoming(id, 2, { hostName: 'again' })], 8_000);
      expect(await store.fleet('default')).toEqual([
        {
          server,
          key: { fingerprint: key.hash.slice(0, 12), slot: 'current', createdAt: key.createdAt },
          latest: { time: 20, received: 7_000, interval: 0.02, agentVersion: '1', hostName: 'new', aliveSince: 7_000 },
          accepted: 2,
          refusedAt: null,
        },
      ]);
      await add('b');
      expect(await store.standing('default', 'a')).toEqual((await store.fleet('default'))[0]);
      expect(await store.standing('default', 'c')).toBeUndefined();
    });

    it('tells since when heartbeats have come in without a break', async () => {
      const { server, key } = await add('a');
      const id = randomUUID();
      const since: (number | undefined)[] = [];
      for (const [i, received] of [100_000, 110_000, 135_000, 160_001, 170_000].entries()) {
        await store.accept(server, key, [incoming(id, i + 1, { interval: 10 })], received);
        since.push((await store.fleet('default'))[0]?.latest?.aliveSince);
      }
      expect(since).toEqual([100_000, 100_000, 100_000, 160_001, 160_001]);
    });

    it('keeps the newest inventory of those that carried one', async () => {
      const { server, key } = await add('a');
      const id = randomUUID();
      expect(await store.inventory(server.id)).toBeNull();
      await store.accept(server, key, [incoming(id, 1, { inventory: '{"cpu":"a"}' }), incoming(id, 2)], 1);
      await store.accept(server, key, [incoming(id, 3)], 2);
      expect(await store.inventory(server.id)).toBe('{"cpu":"a"}');
    });

    it('notes the last use of a key every few seconds', async () => {
      const { server, key } = await add('a');
      const used = async () => (await store.keys(server.id))[0]?.lastUsed;
      await store.accept(server, key, [incoming(randomUUID(), 1)], 10_000);
      expect(await used()).toBe(10_000);
      await store.useKey({ ...key, lastUsed: null }, 12_000);
      expect(await used()).toBe(10_000);
      await store.useKey(key, 15_000);
      expect(await used()).toBe(15_000);
    });

    it('counts refusals by status, and those that no server owns', async () => {
      const { server } = await add('a');
      await store.refuse(server.id, 401, 2, 30);
      await store.refuse(server.id, 401, 3, 20);
      await store.refuse(server.id, 413, 1, 40);
      await store.refuse(null, 401, 9, 50);
      expect(await store.refusals(server.id)).toEqual({ 401: 5, 413: 1 });
      expect((await store.standing('default', 'a'))?.refusedAt).toBe(30);
      await store.refuse(server.id, 403, 1, 60);
      expect((await store.fleet('default'))[0]?.refusedAt).toBe(60);
    });

    it('keeps users and their sessions', async () => {
      const user = { id: randomUUID(), org: 'default', name: 'ada', role: 'admin' as const, passwordHash: 'x' };
      await store.addUser(user);
      await expect(store.addUser({ ...user, id: randomUUID() })).rejects.toMatchObject({ code: 'HUB_USER_EXISTS' });
      const session = { hash: hash(), userId: user.id, createdAt: 1, lastSeen: 1 };
      await store.addSession(session);
      await store.touchSession(session.hash, 9);
      store = await reopen(store);
      expect(await store.users('default')).toEqual([user]);
      expect(await store.userByName('ada')).toEqual(user);
      expect(await store.userByName('bob')).toBeUndefined();
      expect(await store.session(session.hash)).toEqual({ session: { ...session, lastSeen: 9 }, user });
      await store.removeSession(session.hash);
      expect(await store.session(session.hash)).toBeUndefined();
    });

    it('forgets sessions unseen for a week before the window', async () => {
      const user = { id: randomUUID(), org: 'default', name: 'ada', role: 'member' as const, passwordHash: 'x' };
      await store.addUser(user);
      const week = 7 * 86_400_000;
      const [old, fresh] = [hash(), hash()];
      await store.addSession({ hash: old, userId: user.id, createdAt: 0, lastSeen: 99 });
      await store.addSession({ hash: fresh, userId: user.id, createdAt: 0, lastSeen: 100 });
      await store.prune(week + 100, 1e9);
      expect(await store.session(old)).toBeUndefined();
      expect(await store.session(fresh)).toBeDefined();
    });

    describeChanges(
      () => store,
      async () => {
        store = await reopen(store);
      },
    );
    describeOrganisations(() => store);
    describeTokens(
      () => store,
      async () => {
        store = await reopen(store);
      },
    );
    describeStream(
      () => store,
      async () => {
        store = await reopen(store);
      },
    );
  });
}
