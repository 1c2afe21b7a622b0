import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hub } from '../../../src/hub/hub.ts';
import { readRange } from '../../../src/hub/pages/readings.ts';
import { ratesOf } from '../../../src/hub/pages/series.ts';
import { Roller } from '../../../src/hub/rollups/roller.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { ROLLUP_MS } from '../../../src/hub/store/stream.ts';
import { FakeHost, incoming } from '../../pages/fleet-data.ts';
import { tempFolder } from '../helpers.ts';
import { registered } from '../store/store-suite.ts';

const START = Math.floor(1_800_000_000_000 / ROLLUP_MS) * ROLLUP_MS;
const HOUR_MS = 3_600_000;
const NAMES = new Set(['system.cpu.time', 'scout.load']);
const made = registered('web-1');

let folder: ReturnType<typeof tempFolder>;
let store: SqliteStore;
let now: number;
let hub: Hub;
beforeEach(async () => {
  folder = tempFolder();
  store = SqliteStore.open(folder.path);
  await store.addServer(made.server, made.key);
  now = START;
  hub = { store, now: () => now, monotonic: () => now, serviceId: 'id', publicOrigin: 'https://hub' };
});
afterEach(async () => {
  await store.close();
  folder.remove();
});

/** Heartbeats of a stretch of time, as they come in. */
async function live(host: FakeHost, from: number, until: number): Promise<void> {
  const batch = [];
  for (let time = from; time < until; time += host.interval * 1_000) batch.push(incoming(host.beat(time)));
  await store.accept(made.server, made.key, batch, until - 1);
  now = until;
}

async function roll(roller = new Roller(hub)): Promise<void> {
  while ((await roller.step()) === 0);
}

const rolled = async () => (await store.rollups(made.server.id, 0, START * 2)).map((one) => (one.time - START) / ROLLUP_MS);

describe('the roller', () => {
  it('rolls up each stretch some minutes after it ended, and goes on where it was after a restart', async () => {
    const host = new FakeHost('web-1', 60);
    await live(host, START, START + ROLLUP_MS);
    now += 60_000;
    await roll();
    expect(await rolled()).toEqual([]);
    now += ROLLUP_MS + 61_000;
    await roll();
    expect(await rolled()).toEqual([0]);
    await live(host, START + ROLLUP_MS, START + 4 * ROLLUP_MS);
    await store.close();
    store = SqliteStore.open(folder.path);
    hub = { ...hub, store };
    now += ROLLUP_MS + 121_000;
    await roll();
    expect(await rolled()).toEqual([0, 1, 2, 3]);
    const roller = new Roller(hub);
    await roll(roller);
    expect(roller.figures()).toMatchObject([{ name: 'scout_hub_rollups_total', value: 0 }]);
  });

  it('rolls up again what an agent sends late, and what comes of more stretches than it takes at once', async () => {
    const [host, late] = [new FakeHost('web-1', 60), new FakeHost('web-1', 60, 2)];
    await live(host, START, START + 120 * ROLLUP_MS);
    now += HOUR_MS;
    await roll();
    expect(await rolled()).toHaveLength(120);
    const [before] = await store.rollups(made.server.id, START, START + 1);
    await store.accept(made.server, made.key, [incoming(late.beat(START + ROLLUP_MS - 1))], now);
    now += HOUR_MS;
    await roll();
    const [after] = await store.rollups(made.server.id, START, START + 1);
    expect(await rolled()).toHaveLength(120);
    expect(Buffer.compare(before!.frame, after!.frame)).not.toBe(0);
  });

  it('keeps the roll-up of a whole stretch when a straggler comes after all else has left the window', async () => {
    const host = new FakeHost('web-1', 60);
    await live(host, START, START + ROLLUP_MS);
    now += HOUR_MS;
    await roll();
    const [before] = await store.rollups(made.server.id, START, START + 1);
    await store.prune(now, 1e12);
    await store.accept(made.server, made.key, [incoming(host.beat(START + 1))], now);
    now += HOUR_MS;
    await roll();
    expect(await store.rollups(made.server.id, START, START + 1)).toEqual([before]);
    expect(await store.unrolled(Number.MAX_SAFE_INTEGER, 9)).toEqual([]);
  });

  it('forgets stretches of which nothing is left', async () => {
    await live(new FakeHost('web-1', 60), START, START + ROLLUP_MS);
    now += 24 * HOUR_MS;
    await store.prune(now, 1e12);
    await roll();
    expect(await rolled()).toEqual([]);
    expect(await store.unrolled(Number.MAX_SAFE_INTEGER, 9)).toEqual([]);
  });
});

describe('charts beyond the window', () => {
  const DAYS = 8;

  it('show the same rates from roll-ups as from the heartbeats themselves', async () => {
    const host = new FakeHost('web-1', 300);
    for (let day = 0; day < DAYS; day++) await live(host, START + day * 24 * HOUR_MS, START + (day + 1) * 24 * HOUR_MS);
    const week = { from: now - 7 * 24 * HOUR_MS, to: now, interval: 300, names: NAMES };
    const raw = await readRange(store, made.server.id, week);
    now += HOUR_MS;
    await roll();
    await store.prune(now - 24 * HOUR_MS, 1e12);
    const found = await readRange(store, made.server.id, week);
    expect(found.step).toBe(raw.step);
    expect(found.step).toBeGreaterThan(ROLLUP_MS);
    expect(found.readings.length).toBeGreaterThan(400);
    // Counters are those of the last heartbeat of a stretch: rates are exact, over times a little apart.
    const [rates, wanted] = [found, raw].map(({ readings, step }) =>
      ratesOf(readings, 'system.cpu.time', (row) => String(row['cpu.mode']), step),
    );
    expect([...rates!.lines.keys()]).toEqual([...wanted!.lines.keys()]);
    const mean = (values: (number | null)[] = []) => values.reduce<number>((sum, one) => sum + (one ?? 0), 0) / values.length;
    for (const [label, values] of rates!.lines) {
      const [a, b] = [mean(values), mean(wanted!.lines.get(label))];
      expect(values.filter((one) => one === null).length).toBeLessThan(3);
      expect(Math.abs(a - b)).toBeLessThanOrEqual(0.02 * b);
    }
  });

  it('take a short range from roll-ups where the window no longer reaches, and from the window where it does', async () => {
    const host = new FakeHost('web-1', 60);
    for (let hour = 0; hour < 48; hour++) await live(host, START + hour * HOUR_MS, START + (hour + 1) * HOUR_MS);
    now += HOUR_MS;
    await roll();
    await store.prune(now - 6 * HOUR_MS, 1e12);
    const read = async (from: number, to: number) =>
      readRange(store, made.server.id, { from: START + from * HOUR_MS, to: START + to * HOUR_MS, interval: 60, names: NAMES });
    const past = await read(10, 16);
    expect(past.step).toBe(ROLLUP_MS);
    expect(past.readings).toHaveLength(36);
    expect((await read(47, 48)).step).toBe(60_000);
    const both = await read(24, 48);
    expect(both.step).toBe(ROLLUP_MS);
    expect(both.readings).toHaveLength(144);
  });
});
