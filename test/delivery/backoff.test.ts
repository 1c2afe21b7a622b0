import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CAP_MS, parseRetryAfter, pause } from '../../src/delivery/backoff.ts';

const below1 = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('a pause', () => {
  it('is never longer than its ceiling, nor shorter than what the service asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), below1, fc.integer({ min: 0, max: 3_600_000 }), (failures, chance, retryAfter) => {
        const ceiling = Math.min(CAP_MS, 1_000 * 2 ** (failures - 1));
        const wait = pause({ failures, cap: CAP_MS, retryAfter, random: () => chance });
        expect(wait).toBeGreaterThanOrEqual(retryAfter);
        expect(wait).toBeLessThanOrEqual(retryAfter + ceiling);
      }),
    );
  });

  it('is spread over the whole ceiling, at the cap too', () => {
    const at = (chance: number) => pause({ failures: 100, cap: CAP_MS, random: () => chance });
    expect([at(0), at(0.5), at(0.999999)]).toEqual([0, 150_000, 300_000]);
  });

  it('doubles its ceiling with each failure', () => {
    const most = (failures: number) => pause({ failures, cap: CAP_MS, random: () => 0.9999999 });
    expect([1, 2, 3, 4, 9, 10].map(most)).toEqual([1_000, 2_000, 4_000, 8_000, 256_000, 300_000]);
  });

  it('does not obey a service that asks for days', () => {
    expect(pause({ failures: 1, cap: CAP_MS, retryAfter: 864e5, random: () => 0 })).toBe(3_600_000);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  it.each([
    ['120', 120_000],
    [' 5 ', 5_000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    [undefined, undefined],
  ])('%s', (header, expected) => expect(parseRetryAfter(header, now)).toBe(expected));
});
