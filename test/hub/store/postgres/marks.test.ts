import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Marks } from '../../../../src/hub/store/postgres/marks.ts';

type Range = [number, number];

/** The database as far as an instance's numbers are concerned: each batch reads from it what it touches, and writes it back. */
class Rows {
  seen: { first: number; last: number; accepted: number; duplicates: number } | undefined;
  gaps = new Map<number, number>();

  take(batch: number[]): boolean[] {
    const { seen } = this;
    const inside = batch.filter((one) => seen && one <= seen.last);
    const [low, high] = [Math.min(...inside), Math.max(...inside)];
    const touched = [...this.gaps].filter((gap): gap is Range => gap[1] >= low && gap[0] <= high).toSorted((a, b) => a[0] - b[0]);
    const marks = new Marks(seen && { ...seen, gaps: touched }, batch[0] as number);
    const fresh = batch.map((one) => marks.mark(one));
    const { drop, add } = marks.changes();
    for (const one of drop) expect(this.gaps.delete(one)).toBe(true);
    for (const [from, to] of add) {
      expect(this.gaps.has(from)).toBe(false);
      this.gaps.set(from, to);
    }
    const { first, last, accepted, duplicates } = marks;
    this.seen = { first, last, accepted, duplicates };
    return fresh;
  }
}

describe('marks', () => {
  it('agree with a plain set, batch after batch, with only the gaps that a batch touches at hand', () => {
    const batches = fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 15 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(batches, (rounds) => {
        const [rows, all] = [new Rows(), new Set<number>()];
        for (const batch of rounds) {
          const wanted = batch.map((one) => !all.has(one) && Boolean(all.add(one)));
          expect(rows.take(batch)).toEqual(wanted);
        }
        const [first, last] = [Math.min(...all), Math.max(...all)];
        const duplicates = rounds.flat().length - all.size;
        expect(rows.seen).toEqual({ first, last, accepted: all.size, duplicates });
        const gaps = [...rows.gaps].toSorted((a, b) => a[0] - b[0]);
        const missing = gaps.flatMap(([low, high]) => Array.from({ length: high - low + 1 }, (_, index) => low + index));
        expect(missing).toEqual(Array.from({ length: last - first + 1 }, (_, index) => first + index).filter((one) => !all.has(one)));
        // As few ranges as there can be: no two of them touch.
        expect(gaps.some(([, high], index) => gaps[index + 1]?.[0] === high + 1)).toBe(false);
      }),
    );
  });
});
