import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Reading } from '../../../src/hub/pages/readings.ts';
import { mapLines, ratesOf, valuesOf } from '../../../src/hub/pages/series.ts';
import type { Metric, Point } from '../../../src/protocol/heartbeat.ts';

const STEP = 10_000;
const all = () => 'all';
const metric = (points: Point[], attributes = ['core']): Metric => ({ name: 'm', unit: 's', type: 'counter', attributes, points });
const reading = (seconds: number, points: Point[] | undefined, boot?: number): Reading => ({
  time: seconds * 1_000,
  boot,
  metrics: new Map(points ? [['m', metric(points)]] : []),
});

describe('rates', () => {
  it('are what a counter gained per second, rows of one label added up', () => {
    const { times, lines } = ratesOf(
      [
        reading(0, [
          [0, 5],
          [1, 5],
        ]),
        reading(10, [
          [0, 10],
          [1, 20],
        ]),
      ],
      'm',
      all,
      STEP,
    );
    expect(times).toEqual([0, 10]);
    expect(lines.get('all')).toEqual([null, 2]);
  });

  it('leave a counter out that fell, and go on with the next', () => {
    const { lines } = ratesOf([reading(0, [[0, 100]]), reading(10, [[0, 3]]), reading(20, [[0, 13]])], 'm', all, STEP);
    expect(lines.get('all')).toEqual([null, null, 1]);
  });

  it('leave a boot out even where the counter grew past its old value', () => {
    const { lines } = ratesOf(
      [reading(0, [[0, 1]], 1_000), reading(10, [[0, 500]], 5_000), reading(20, [[0, 510]], 5_001)],
      'm',
      all,
      STEP,
    );
    expect(lines.get('all')).toEqual([null, null, 1]);
  });

  it('show an absence as a gap, not as one flat rate', () => {
    const { times, lines } = ratesOf(
      [reading(0, [[0, 0]]), reading(10, [[0, 10]]), reading(100, [[0, 20]]), reading(110, [[0, 30]])],
      'm',
      all,
      STEP,
    );
    expect(times).toEqual([0, 10, 20, 100, 110]);
    expect(lines.get('all')).toEqual([null, 1, null, null, 1]);
  });

  it('take a row that is new from its second reading on', () => {
    const { lines } = ratesOf(
      [
        reading(0, [['a', 0]]),
        reading(10, [
          ['a', 10],
          ['b', 5],
        ]),
        reading(20, [
          ['a', 20],
          ['b', 25],
        ]),
      ],
      'm',
      (row) => String(row.core),
      STEP,
    );
    expect(lines.get('a')).toEqual([null, 1, 1]);
    expect(lines.get('b')).toEqual([null, null, 2]);
  });

  it('are never negative and never longer than their times, whatever is sent', () => {
    const points = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.oneof(fc.double(), fc.string({ maxLength: 3 }))), { maxLength: 5 });
    const readings = fc.array(fc.record({ at: fc.integer({ min: 0, max: 2_000 }), points: fc.option(points, { nil: undefined }) }), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(readings, (given) => {
        const { times, lines } = ratesOf(
          given.map((one) => reading(one.at, one.points as Point[] | undefined)),
          'm',
          (row) => String(row.core),
          STEP,
        );
        for (const line of lines.values()) {
          expect(line).toHaveLength(times.length);
          for (const value of line) expect(value === null || value >= 0).toBe(true);
        }
        expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
      }),
    );
  });
});

describe('values', () => {
  it('are as they were read, with nothing where nothing was told', () => {
    const { lines } = valuesOf([reading(0, [[0, 7]]), reading(10, undefined), reading(20, [[0, -1]])], 'm', all, STEP);
    expect(lines.get('all')).toEqual([7, null, -1]);
  });

  it('make no more lines than can be held', () => {
    const many = Array.from({ length: 3_000 }, (_, i): Point => [`row ${i}`, i]);
    const { lines } = valuesOf([reading(0, many)], 'm', (row) => String(row.core), STEP);
    expect(lines.size).toBe(200);
  });

  it('can be seen against the others of their moment', () => {
    const lines = valuesOf(
      [
        reading(0, [
          ['a', 1],
          ['b', 3],
        ]),
        reading(10, [['a', 2]]),
      ],
      'm',
      (row) => String(row.core),
      STEP,
    );
    const shares = mapLines(lines, (value, moment) => value / [...moment.values()].reduce((a, b) => a + b, 0));
    expect(shares.lines.get('a')).toEqual([0.25, 1]);
    expect(shares.lines.get('b')).toEqual([0.75, null]);
  });
});
