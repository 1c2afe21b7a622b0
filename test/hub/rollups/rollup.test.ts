import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHeartbeat } from '../../../src/hub/ingest/check.ts';
import { rollUp } from '../../../src/hub/rollups/rollup.ts';
import { pack, unpack } from '../../../src/protocol/frame.ts';
import type { Heartbeat, Metric, Point } from '../../../src/protocol/heartbeat.ts';
import { sampleHeartbeat } from '../../exporters/sample.ts';

const frameOf = (beat: Heartbeat) => ({ frame: pack(JSON.stringify(beat)) });
const instance = crypto.randomUUID();

function beat(sequence: number, metrics: Metric[], over: Partial<Heartbeat> = {}): Heartbeat {
  return sampleHeartbeat({ instance, sequence, time: sequence * 10_000, metrics, ...over });
}

function rolled(beats: Heartbeat[]): Heartbeat | undefined {
  const frame = rollUp(beats.map(frameOf));
  return frame && (JSON.parse(unpack(frame).toString()) as Heartbeat);
}

const metric = (type: Metric['type'], ...points: Point[]): Metric => ({ name: `m.${type}`, unit: '1', type, attributes: ['a'], points });

describe('rolling up', () => {
  it('takes counters as they were last, of all else the mean, and time and names of the last', () => {
    const found = rolled([
      beat(1, [metric('counter', ['x', 1]), metric('gauge', ['x', 1], ['y', 10]), metric('updowncounter', ['x', -4])], {
        inventory: { 'host.id': 'h' },
      }),
      beat(2, [metric('counter', ['x', 5]), metric('gauge', ['x', 2], ['y', 20]), metric('updowncounter', ['x', 4])]),
      beat(3, [metric('counter', ['x', 9]), metric('gauge', ['x', 6], ['y', 60]), metric('updowncounter', ['x', 3])], {
        inventory: { 'host.id': 'h' },
      }),
    ]);
    expect(found?.metrics).toEqual([metric('counter', ['x', 9]), metric('gauge', ['x', 3], ['y', 30]), metric('updowncounter', ['x', 1])]);
    expect(found).toMatchObject({ sequence: 3, time: 30_000, interval: 600, instance });
    expect(found?.inventory).toBeUndefined();
    expect(isHeartbeat(found)).toBe(true);
  });

  it('has the rows that a metric had last, each with the mean over the time it was there', () => {
    const found = rolled([
      beat(1, [metric('gauge', ['gone', 1], ['x', 1])]),
      beat(2, [metric('gauge', ['x', 3], ['new', 7])]),
      beat(3, []),
    ]);
    expect(found?.metrics).toEqual([metric('gauge', ['x', 2], ['new', 7])]);
    expect(found?.sequence).toBe(3);
  });

  it('keeps counters that began anew, and the boot they count from', () => {
    const host = (boot_time: number) => ({ host: { name: 'web-1', boot_time } });
    const found = rolled([beat(1, [metric('counter', ['x', 500])], host(1)), beat(2, [metric('counter', ['x', 3])], host(900))]);
    expect(found?.metrics).toEqual([metric('counter', ['x', 3])]);
    expect(found?.host.boot_time).toBe(900);
  });

  it('makes no mean over two agents', () => {
    const found = rolled([beat(1, [metric('gauge', ['x', 100])], { instance: crypto.randomUUID() }), beat(2, [metric('gauge', ['x', 2])])]);
    expect(found?.metrics).toEqual([metric('gauge', ['x', 2])]);
  });

  it('passes over frames that cannot be opened, and makes nothing of nothing', () => {
    expect(rollUp([])).toBeUndefined();
    expect(rollUp([{ frame: Buffer.from('no frame') }])).toBeUndefined();
    const frames = [frameOf(beat(1, [metric('gauge', ['x', 4])])), { frame: Buffer.from('no frame') }];
    expect(JSON.parse(unpack(rollUp(frames)!).toString())).toMatchObject({ sequence: 1 });
  });

  it('opens a bounded number of an agent that reports often, spread evenly, the last among them', () => {
    const beats = Array.from({ length: 600 }, (_, index) => beat(index + 1, [metric('gauge', ['x', index])]));
    const found = rolled(beats);
    expect(found?.sequence).toBe(600);
    expect(found?.metrics[0]?.points[0]?.[1]).toBeGreaterThan(280);
    expect(found?.metrics[0]?.points[0]?.[1]).toBeLessThan(330);
  });

  it('stays between the least and the most of what was read, and in the form of a heartbeat', () => {
    const value = fc.double({ min: -1e15, max: 1e15, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 70 }), (values) => {
        const found = rolled(values.map((one, index) => beat(index + 1, [metric('gauge', ['x', one])])));
        const mean = found?.metrics[0]?.points[0]?.[1] as number;
        const slack = 1e-5 * Math.max(...values.map(Math.abs));
        expect(mean).toBeGreaterThanOrEqual(Math.min(...values) - slack);
        expect(mean).toBeLessThanOrEqual(Math.max(...values) + slack);
        expect(isHeartbeat(found)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
