import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stateOf } from '../../src/hub/servers.ts';
import { parseSilentAfter, type SilentAfter, silenceInWords, silentAfterText } from '../../src/hub/silence.ts';

const stateAfter = (seconds: number, interval: number, after: SilentAfter) => stateOf({ received: 0, interval }, seconds * 1_000, after);

describe('when a server counts as silent', () => {
  it.each<[string, SilentAfter | undefined, string?]>([
    ['10', { intervals: 10 }, '10 intervals'],
    ['3', { intervals: 3 }, '3 intervals'],
    ['5m', { ms: 300_000 }, '5m'],
    ['1h30m', { ms: 5_400_000 }, '1h 30m'],
    ['2', undefined],
    ['100001', undefined],
    ['2.5', undefined],
    ['9s', undefined],
    ['367d', undefined],
    ['soon', undefined],
    ['-5m', undefined],
    ['', undefined],
  ])('is read from %j', (text, wanted, words) => {
    const found = parseSilentAfter(text);
    expect(found).toEqual(wanted);
    if (found) expect(silenceInWords(found)).toBe(words);
  });

  it('is kept as it is read', () => {
    const kinds = fc.oneof(
      fc.record({ intervals: fc.integer({ min: 3, max: 100_000 }) }),
      fc.record({ ms: fc.integer({ min: 10_000, max: 366 * 86_400_000 }) }),
    );
    fc.assert(
      fc.property(kinds, (after) => {
        expect(parseSilentAfter(silentAfterText(after))).toEqual(after);
      }),
    );
  });

  it('is after so many of its intervals, with five seconds of slack', () => {
    const after = { intervals: 30 };
    expect([25, 26, 305, 306].map((age) => stateAfter(age, 10, after))).toEqual(['alive', 'late', 'late', 'silent']);
  });

  it('or after the same time for all, but for those that are not even late by then', () => {
    const after = { ms: 300_000 };
    expect([305, 306].map((age) => stateAfter(age, 10, after))).toEqual(['late', 'silent']);
    expect([305, 306, 7_205, 7_206].map((age) => stateAfter(age, 3_600, after))).toEqual(['alive', 'alive', 'alive', 'silent']);
  });
});
