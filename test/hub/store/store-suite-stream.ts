import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Incoming, Server, ServerKey, Store } from '../../../src/hub/store/store.ts';
import { type Notice, ROLLUP_MS } from '../../../src/hub/store/stream.ts';
import { incoming, registered } from './store-suite.ts';

const HOUR_MS = 3_600_000;
const notice = (id: string, over: Partial<Notice> = {}): Notice => ({
  id,
  body: `{"id":"${id}"}`,
  createdAt: 1,
  tries: 0,
  nextAt: 5,
  ...over,
});
const bytes = (length: number) => new Uint8Array(length).fill(7);

/** What every store must do for forwarding, silence and roll-ups; `store` gives the one of the test that runs. */
export function describeStream(store: () => Store, reopen: () => Promise<void>): void {
  async function add(name: string): Promise<{ server: Server; key: ServerKey }> {
    const made = registered(name);
    await store().addServer(made.server, made.key);
    return made;
  }
  const accept = (to: { server: Server; key: ServerKey }, batch: Incoming[], received = 1_000) =>
    store().accept(to.server, to.key, batch, received);
  const all = async (place = 0) => store().after(place, 1_000, 1e9);

  describe('the order of heartbeats', () => {
    it('is that in which they were taken, of all servers', async () => {
      const [a, b] = [await add('a'), await add('b')];
      const id = randomUUID();
      await accept(a, [incoming(id, 3), incoming(id, 1)], 5);
      await accept(b, [incoming(id, 2)], 6);
      await accept(a, [incoming(id, 1), incoming(id, 2)], 7);
      await reopen();
      const found = await all();
      const { id: serverId, org, name } = b.server;
      expect(found.map((one) => [one.server.name, one.time, one.received, [...one.frame]])).toEqual([
        ['a', 30, 5, [3, 0]],
        ['a', 10, 5, [1, 0]],
        ['b', 20, 6, [2, 0]],
        ['a', 20, 7, [2, 0]],
      ]);
      expect(found[2]?.server).toEqual({ id: serverId, org, name });
      const places = found.map((one) => one.place);
      expect(places).toEqual([...new Set(places)].toSorted((x, y) => x - y));
      expect(await all(places[1])).toEqual(found.slice(2));
      expect(await all(places[3])).toEqual([]);
    });

    it('is read in portions of so many, and of so many bytes, one heartbeat at least', async () => {
      const a = await add('a');
      const id = randomUUID();
      await accept(
        a,
        [100, 50, 49, 51, 1].map((size, index) => incoming(id, index + 1, { frame: bytes(size) })),
      );
      const sizes = async (place: number, most: number, limit: number) =>
        (await store().after(place, most, limit)).map((one) => one.frame.length);
      expect(await sizes(0, 2, 1e9)).toEqual([100, 50]);
      expect(await sizes(0, 9, 10)).toEqual([100]);
      const [first] = await all();
      expect(await sizes(first!.place, 9, 100)).toEqual([50, 49]);
    });

    it('leaves out what servers that were removed had sent', async () => {
      const [a, b] = [await add('a'), await add('b')];
      await accept(a, [incoming(randomUUID(), 1)]);
      await accept(b, [incoming(randomUUID(), 1)]);
      await store().removeServer(a.server.id);
      expect((await all()).map((one) => one.server.name)).toEqual(['b']);
    });

    it('never gives a place twice, when everything has left the window too', async () => {
      const a = await add('a');
      const id = randomUUID();
      await accept(a, [incoming(id, 1), incoming(id, 2)], 1_000);
      const before = (await all()).at(-1)!.place;
      await store().prune(2_000, 1e9);
      expect(await all()).toEqual([]);
      await reopen();
      await accept(a, [incoming(id, 3)], 3_000);
      expect((await all())[0]!.place).toBeGreaterThan(before);
    });
  });

  describe('cursors', () => {
    it('begin where they are told to, and move forward only', async () => {
      const a = await add('a');
      const id = randomUUID();
      await accept(a, [incoming(id, 1), incoming(id, 2)]);
      const last = (await all()).at(-1)!.place;
      expect(await store().openCursor('one', 'now')).toEqual({ place: last, lost: 0 });
      const start = await store().openCursor('two', 'start');
      expect(await all(start.place)).toHaveLength(2);
      await store().moveCursor('two', last);
      await store().moveCursor('two', last - 1);
      await reopen();
      expect(await store().openCursor('two', 'start')).toEqual({ place: last, lost: 0 });
      await accept(a, [incoming(id, 3)]);
      expect((await store().openCursor('one', 'now')).place).toBe(last);
    });

    it('begin behind what was ever taken, also when that is gone', async () => {
      const a = await add('a');
      const id = randomUUID();
      await accept(a, [incoming(id, 1), incoming(id, 2)], 1_000);
      await store().prune(2_000, 1e9);
      const { place } = await store().openCursor('one', 'now');
      await accept(a, [incoming(id, 3)], 3_000);
      expect(await all(place)).toHaveLength(1);
    });

    it('count what left the window before them, but nothing of servers that were removed', async () => {
      const [a, b] = [await add('a'), await add('b')];
      const id = randomUUID();
      await accept(
        a,
        [1, 2, 3, 4].map((one) => incoming(id, one)),
        1_000,
      );
      await accept(b, [incoming(id, 1)], 1_000);
      const places = (await all()).map((one) => one.place);
      await store().openCursor('one', 'start');
      await store().openCursor('two', 'now');
      await store().moveCursor('one', places[0]!);
      await store().removeServer(b.server.id);
      await store().prune(2_000, 1e9);
      expect((await store().openCursor('one', 'start')).lost).toBe(3);
      expect((await store().openCursor('two', 'start')).lost).toBe(0);
    });
  });

  describe('duties', () => {
    it('are one holder\u2019s until they run out or are given up', async () => {
      const lease = (holder: string, now: number, ms = 100) => store().lease('duty', holder, now, ms);
      expect(await lease('a', 0)).toBe(true);
      expect(await lease('b', 50)).toBe(false);
      expect(await lease('a', 60)).toBe(true);
      expect(await lease('b', 159)).toBe(false);
      await reopen();
      expect(await lease('b', 160)).toBe(true);
      expect(await lease('a', 170, 0)).toBe(false);
      expect(await lease('a', 171)).toBe(false);
      expect(await lease('b', 172, 0)).toBe(false);
      expect(await lease('a', 173)).toBe(true);
      expect(await store().lease('another', 'b', 173, 100)).toBe(true);
    });

    it('are not kept by a clock that was far ahead', async () => {
      expect(await store().lease('duty', 'a', 1_000_000, 100)).toBe(true);
      expect(await store().lease('duty', 'b', 999_500, 100)).toBe(false);
      expect(await store().lease('duty', 'b', 1_000, 100)).toBe(true);
    });

    it('are one\u2019s, whoever asks at once', async () => {
      const got = await Promise.all(Array.from({ length: 8 }, (_, index) => store().lease('duty', `h${index}`, 1, 100)));
      expect(got.filter(Boolean)).toHaveLength(1);
    });
  });

  describe('roll-ups', () => {
    const at = (time: number, sequence: number) => ({ time, sequence });
    const beats = (id: string, ...times: { time: number; sequence: number }[]) =>
      times.map(({ time, sequence }) => incoming(id, sequence, { time }));

    it('are asked for once a stretch was begun before a time, longest waiting first, until they are put', async () => {
      const [a, b] = [await add('a'), await add('b')];
      const id = randomUUID();
      await accept(a, beats(id, at(ROLLUP_MS + 5, 1)), 2_000);
      await accept(b, beats(id, at(0, 1), at(ROLLUP_MS - 1, 2), at(3 * ROLLUP_MS, 3)), 1_000);
      expect(await store().unrolled(1_000, 9)).toEqual([]);
      const due = await store().unrolled(2_001, 9);
      expect(due.slice(0, 2).toSorted((x, y) => x.time - y.time)).toEqual([
        { serverId: b.server.id, time: 0 },
        { serverId: b.server.id, time: 3 * ROLLUP_MS },
      ]);
      expect(due[2]).toEqual({ serverId: a.server.id, time: ROLLUP_MS });
      expect(await store().unrolled(2_001, 1)).toHaveLength(1);
      await store().putRollups([
        { serverId: b.server.id, time: 0, frame: bytes(3) },
        { serverId: b.server.id, time: 3 * ROLLUP_MS, frame: null },
      ]);
      await reopen();
      expect(await store().unrolled(9_000, 9)).toEqual([{ serverId: a.server.id, time: ROLLUP_MS }]);
      expect(await store().rollups(b.server.id, 0, HOUR_MS)).toEqual([{ time: 0, frame: bytes(3) }]);
    });

    it('are made anew when heartbeats come late, also while they are being made', async () => {
      const a = await add('a');
      const id = randomUUID();
      await accept(a, beats(id, at(1, 1)), 1_000);
      const [due] = await store().unrolled(5_000, 9);
      await accept(a, beats(id, at(2, 2)), 6_000);
      await store().putRollups([{ ...due!, frame: bytes(1) }]);
      expect(await store().unrolled(6_000, 9)).toEqual([]);
      expect(await store().unrolled(6_001, 9)).toEqual([due]);
      await store().putRollups([{ ...due!, frame: bytes(2) }]);
      expect(await store().unrolled(9e9, 9)).toEqual([]);
      await accept(a, beats(id, at(3, 3)), 7_000);
      expect(await store().unrolled(9e9, 9)).toEqual([due]);
      expect(await store().rollups(a.server.id, 0, 1)).toEqual([{ time: 0, frame: bytes(2) }]);
    });

    it('are not asked for again by what came before', async () => {
      const a = await add('a');
      const id = randomUUID();
      await accept(a, beats(id, at(1, 1)), 1_000);
      const due = await store().unrolled(5_000, 9);
      await store().putRollups(due.map((one) => ({ ...one, frame: bytes(1) })));
      await accept(a, beats(id, at(1, 1)), 6_000);
      expect(await store().unrolled(9e9, 9)).toEqual([]);
    });

    it('are found by when they begin, and forgotten with their server', async () => {
      const [a, b] = [await add('a'), await add('b')];
      const put = (serverId: string, ...times: number[]) =>
        store().putRollups(times.map((time) => ({ serverId, time: time * ROLLUP_MS, frame: bytes(time) })));
      await put(a.server.id, 2, 1, 3);
      await put(b.server.id, 2);
      const times = async (from: number, to: number) =>
        (await store().rollups(a.server.id, from * ROLLUP_MS, to * ROLLUP_MS)).map((one) => one.time / ROLLUP_MS);
      expect(await times(0, 9)).toEqual([1, 2, 3]);
      expect(await times(1, 3)).toEqual([1, 2]);
      await accept(a, beats(randomUUID(), at(1, 1)), 1);
      await store().removeServer(a.server.id);
      await put(a.server.id, 4);
      expect(await times(0, 9)).toEqual([]);
      expect(await store().unrolled(9e9, 9)).toEqual([]);
      expect(await store().rollups(b.server.id, 0, 9 * ROLLUP_MS)).toHaveLength(1);
    });

    it('are dropped when they are old, or the oldest when they take too much room', async () => {
      const a = await add('a');
      const put = (from: number, count: number) =>
        store().putRollups(
          Array.from({ length: count }, (_, index) => ({ serverId: a.server.id, time: (from + index) * ROLLUP_MS, frame: bytes(1_000) })),
        );
      await put(0, 2_500);
      await put(0, 10);
      expect(await store().pruneRollups(100 * ROLLUP_MS, 1e9)).toBe(100);
      expect(await store().pruneRollups(0, 2_400_000)).toBe(0);
      expect(await store().pruneRollups(0, 2_399_999)).toBeGreaterThan(0);
      const left = await store().rollups(a.server.id, 0, 1e13);
      expect(left.length).toBeLessThan(2_400);
      expect(left.at(-1)?.time).toBe(2_499 * ROLLUP_MS);
      expect(await store().pruneRollups(0, left.length * 1_000)).toBe(0);
      await accept(a, beats(randomUUID(), at(1, 1)), 1_000);
      await store().pruneRollups(1_001, 1e9);
      expect(await store().unrolled(9e9, 9)).toEqual([]);
    });
  });

  describe('what is told of servers', () => {
    it('begins with when they count as silent, which is kept', async () => {
      expect(await store().silentAfter()).toBeUndefined();
      for (const text of ['10', '300000ms', '300000ms']) await store().keepSilentAfter(text);
      await reopen();
      expect(await store().silentAfter()).toBe('300000ms');
    });

    it('is noted with the notices of it, and those alive on time are not asked about', async () => {
      const [a, b] = [await add('a'), await add('b')];
      await add('never');
      await accept(a, [incoming(randomUUID(), 1, { interval: 10 })], 50_000);
      await accept(b, [incoming(randomUUID(), 1, { interval: 0.5 })], 50_000);
      const standings = async (now: number) => (await store().standings(now)).toSorted((x, y) => (x.server.name < y.server.name ? -1 : 1));
      const { id, org, name } = a.server;
      const latest = { received: 50_000, interval: 10, aliveSince: 50_000 };
      expect((await standings(51_000))[0]).toEqual({ server: { id, org, name }, latest, told: null });
      expect(await standings(51_000)).toHaveLength(2);
      const told = (serverId: string, state: 'alive' | 'silent') => ({ serverId, state, at: 51_000 });
      await store().tell([told(a.server.id, 'alive'), told(b.server.id, 'silent'), told(randomUUID(), 'silent')], [notice('m1')]);
      await reopen();
      expect((await standings(60_000)).map((one) => [one.server.name, one.told])).toEqual([['b', { state: 'silent', at: 51_000 }]]);
      expect(await standings(60_001)).toHaveLength(2);
      await store().tell([told(b.server.id, 'alive')], []);
      expect(await standings(50_400)).toEqual([]);
      expect(await store().dueNotices(9, 9)).toEqual([notice('m1')]);
    });

    it('is forgotten with the server, and its notices are not', async () => {
      const a = await add('a');
      await accept(a, [incoming(randomUUID(), 1)], 1);
      await store().tell([{ serverId: a.server.id, state: 'late', at: 1 }], [notice('m')]);
      await store().removeServer(a.server.id);
      expect(await store().standings(9e9)).toEqual([]);
      expect(await store().countNotices()).toBe(1);
    });

    it('is kept as notices until they are dropped, each not before its time', async () => {
      await store().tell([], [notice('c', { createdAt: 3 }), notice('a'), notice('late', { nextAt: 50 }), notice('b')]);
      const due = async (now: number, most = 9) => (await store().dueNotices(now, most)).map((one) => one.id);
      expect(await due(4)).toEqual([]);
      expect(await due(5)).toEqual(['a', 'b', 'c']);
      expect(await due(5, 1)).toEqual(['a']);
      await store().delayNotice('a', 2, 70);
      await store().dropNotice('b');
      await store().dropNotice('b');
      await reopen();
      expect(await due(69)).toEqual(['c', 'late']);
      expect((await store().dueNotices(70, 9)).at(-1)).toEqual(notice('a', { tries: 2, nextAt: 70 }));
      expect(await store().countNotices()).toBe(3);
    });
  });
}
