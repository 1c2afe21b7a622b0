import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_POINTS, open, readRange, stepOf } from '../../../src/hub/pages/readings.ts';
import { FakeHost, incoming } from '../../pages/fleet-data.ts';

const NAMES = new Set(['scout.load']);
const host = new FakeHost('web-1');
const frame = (time: number) => ({ time, frame: incoming(host.beat(time)).frame });

/** A store of frames that counts what it hands out. */
class Frames {
  handed = 0;
  readonly #kept: { time: number; frame: Uint8Array }[];
  constructor(kept: { time: number; frame: Uint8Array }[]) {
    this.#kept = kept;
  }
  async rollups() {
    return [];
  }
  async recent(_server: string, from: number, to: number) {
    const found = this.#kept.filter(({ time }) => time >= from && time < to);
    this.handed += found.length;
    return found;
  }
}

describe('opening a frame', () => {
  it('keeps the metrics that were asked for', () => {
    const found = open(frame(5_000).frame, NAMES);
    expect(found?.time).toBe(5_000);
    expect([...(found?.metrics.keys() ?? [])]).toEqual(['scout.load']);
  });

  it('gives up on what is no heartbeat, and on a bomb', () => {
    expect(open(Buffer.from('no frame'), NAMES)).toBeUndefined();
    expect(open(zstdCompressSync('{"no": "heartbeat"}'), NAMES)).toBeUndefined();
    expect(open(zstdCompressSync(Buffer.alloc(64 << 20, 32)), NAMES)).toBeUndefined();
  });

  it('stops when the budget is spent', () => {
    const budget = { bytes: 1 };
    expect(open(frame(1).frame, NAMES, budget)).toBeDefined();
    expect(open(frame(2).frame, NAMES, budget)).toBeUndefined();
  });
});

describe('reading a range', () => {
  it('takes every heartbeat of an hour at 10 s, jitter or not', async () => {
    const beats = Array.from({ length: 360 }, (_, i) => frame(i * 10_000 + ((i * 7_919) % 900)));
    const { readings: found } = await readRange(new Frames(beats), 's', { from: 0, to: 3_600_000, interval: 10, names: NAMES });
    expect(found.length).toBeGreaterThanOrEqual(350);
    expect(found.map((one) => one.time)).toEqual(found.map((one) => one.time).toSorted((a, b) => a - b));
  });

  it('opens a bounded number of a busy day, and asks the store for little more', async () => {
    const store = new Frames(Array.from({ length: 8_640 }, (_, i) => frame(i * 10_000)));
    const { readings: found } = await readRange(store, 's', { from: 0, to: 86_400_000, interval: 10, names: NAMES });
    expect(found.length).toBeLessThanOrEqual(MOST_POINTS);
    expect(found.length).toBeGreaterThan(MOST_POINTS * 0.9);
    expect(store.handed).toBeLessThan(2.1 * MOST_POINTS);
  });

  it('finds the one heartbeat of a step wherever it lies', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 86_399_999 }), fc.double({ min: 0.02, max: 4_000, noNaN: true }), async (at, interval) => {
        const { readings: found } = await readRange(new Frames([{ time: at, frame: frame(at).frame }]), 's', {
          from: 0,
          to: 86_400_000,
          interval,
          names: NAMES,
        });
        expect(found.map((one) => one.time)).toEqual([at]);
      }),
      { numRuns: 25 },
    );
  });

  it('has steps of whole intervals, few enough', () => {
    expect(stepOf(0, 3_600_000, 10)).toBe(10_000);
    expect(stepOf(0, 86_400_000, 10)).toBe(180_000);
    expect(stepOf(0, 3_600_000, 0.02)).toBe(7_200);
    expect(stepOf(0, 3_600_000, 7_200)).toBe(7_200_000);
  });
});
