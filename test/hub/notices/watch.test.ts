import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hub } from '../../../src/hub/hub.ts';
import { Watch } from '../../../src/hub/notices/watch.ts';
import { stateOf } from '../../../src/hub/servers.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { tempFolder } from '../helpers.ts';
import { incoming, registered } from '../store/store-suite.ts';

const START = 1_800_000_000_000;
const GRACE_MS = 60_000;

let folder: ReturnType<typeof tempFolder>;
let store: SqliteStore;
let now: number;
let hub: Hub;
let watch: Watch;
let sequence: number;

async function open(): Promise<void> {
  folder = tempFolder();
  store = SqliteStore.open(folder.path);
  [now, sequence] = [START, 0];
  hub = { store, now: () => now, monotonic: () => now, serviceId: 'hub-id', publicOrigin: 'https://hub:8443' };
  watch = new Watch(hub, GRACE_MS);
}

async function close(): Promise<void> {
  await store.close();
  folder.remove();
}

async function add(name: string) {
  const made = registered(name);
  await store.addServer(made.server, made.key);
  return { ...made, instance: randomUUID() };
}

type Made = Awaited<ReturnType<typeof add>>;
const beat = (to: Made, interval = 10) => store.accept(to.server, to.key, [incoming(to.instance, ++sequence, { interval })], now);

interface Body {
  type: string;
  server: string;
  state: string;
  since: string;
}

/** Every notice so far, oldest first. */
const bodies = async (): Promise<Body[]> => (await store.dueNotices(Number.MAX_SAFE_INTEGER, 9_999)).map((one) => JSON.parse(one.body));
const told = async () => (await bodies()).map(({ server, state }) => `${server} ${state}`);

/** Time passes, two seconds at a time, with a heartbeat of each of these every ten. */
async function pass(seconds: number, ...alive: Made[]): Promise<void> {
  for (let second = 0; second < seconds; second += 2) {
    if (second % 10 === 0) for (const one of alive) await beat(one);
    await watch.step();
    now += 2_000;
  }
}

describe('the watch over silence', () => {
  beforeEach(open);
  afterEach(close);

  it('tells of a server that is late, silent and back, once each', async () => {
    const [a, b] = [await add('a'), await add('b')];
    await pass(100, a, b);
    expect(await told()).toEqual([]);
    const last = now - 10_000;
    await pass(130, b);
    expect(await told()).toEqual(['a late', 'a silent']);
    await pass(80, a, b);
    expect(await told()).toEqual(['a late', 'a silent', 'a alive']);
    const [late, silent, alive] = await bodies();
    expect(late).toEqual({
      type: 'server.late',
      id: expect.stringMatching(/^msg_[0-9a-f-]{36}$/),
      timestamp: expect.any(String),
      server: 'a',
      organisation: 'default',
      state: 'late',
      since: new Date(last).toISOString(),
      last_received: new Date(last).toISOString(),
      interval: 10,
      hub: 'https://hub:8443',
      hub_id: 'hub-id',
    });
    expect(silent?.since).toBe(new Date(last).toISOString());
    expect(Date.parse(alive?.since ?? '')).toBeGreaterThan(last);
  });

  it('tells of silence when the hub was told that it begins', async () => {
    hub.silentAfter = { ms: 300_000 };
    const [a, b] = [await add('a'), await add('b')];
    await pass(100, a, b);
    await pass(280, b);
    expect(await told()).toEqual(['a late']);
    await pass(40, b);
    expect(await told()).toEqual(['a late', 'a silent']);
  });

  it('does not report the fleet when the hub was away, and reports who does not come back', async () => {
    const fleet = await Promise.all(Array.from({ length: 5 }, (_, index) => add(`s${index}`)));
    await pass(100, ...fleet);
    now += 3_600_000;
    watch = new Watch(hub, GRACE_MS);
    watch.begin();
    await pass(40);
    await pass(20, ...fleet.slice(2));
    expect(await told()).toEqual([]);
    await pass(200, ...fleet.slice(2));
    expect((await told()).toSorted()).toEqual(['s0 late', 's0 silent', 's1 late', 's1 silent']);
  });

  it('does not report the fleet when the hub stood still or its clock was set, either way', async () => {
    const fleet = [await add('a'), await add('b')];
    await pass(100, ...fleet);
    for (const jump of [3_600_000, -7_200_000, 60_000]) {
      now += jump;
      await pass(40);
      await pass(20, ...fleet);
    }
    expect(await told()).toEqual([]);
  });

  it('says nothing of what was silent before anybody watched, nor of who never reported', async () => {
    const old = await add('old');
    await beat(old);
    await add('never');
    now += 86_400_000;
    await pass(300);
    expect(await told()).toEqual([]);
    await pass(30, old);
    expect(await told()).toEqual(['old alive']);
  });

  it('tells of a flapping server no oftener than every minute, and how it stands in the end', async () => {
    const a = await add('a');
    await pass(80, a);
    for (let round = 0; round < 20; round++) {
      await pass(28);
      await pass(2, a);
    }
    const times = (await store.dueNotices(Number.MAX_SAFE_INTEGER, 99)).map((one) => one.createdAt);
    expect(times.length).toBeGreaterThan(4);
    for (const [index, time] of times.slice(1).entries()) expect(time - times[index]!).toBeGreaterThanOrEqual(60_000);
    await pass(80, a);
    expect((await told()).at(-1)).toBe('a alive');
  });

  it('goes by the interval of each', async () => {
    const [slow, quick] = [await add('slow'), await add('quick')];
    await pass(80, slow, quick);
    await beat(slow, 3_600);
    await beat(quick, 1);
    await pass(1_200);
    expect(await told()).toEqual(['quick late', 'quick silent']);
  });
});

describe('what was told', () => {
  it('ends as things stand, whatever happened before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ wait: fc.integer({ min: 1, max: 100 }), beat: fc.boolean(), restart: fc.boolean() }), { maxLength: 12 }),
        async (events) => {
          await open();
          try {
            const a = await add('a');
            await pass(20, a);
            for (const event of events) {
              if (event.restart) watch = new Watch(hub, GRACE_MS);
              await pass(event.wait, ...(event.beat ? [a] : []));
            }
            await pass(300);
            const latest = (await store.standing('default', 'a'))!.latest;
            expect(stateOf(latest, now)).toBe('silent');
            const states = (await bodies()).map((one) => one.state);
            expect(states.at(-1)).toBe('silent');
            for (const [index, state] of states.slice(1).entries()) expect(state).not.toBe(states[index]);
          } finally {
            await close();
          }
        },
      ),
      { numRuns: 6 },
    );
  });
});
