import { describe, expect, it } from 'vitest';
import { ago, forLong, formatCount, formatValue, left } from '../../../src/hub/pages/format.ts';

describe('numbers and times for people', () => {
  it('carry their unit', () => {
    expect(formatValue(3.06, 'percent')).toBe('3.1 %');
    expect(formatValue(42.4, 'percent')).toBe('42 %');
    expect(formatValue(0.5, 'number')).toBe('0.50');
    expect(formatValue(12.7, 'bytes/s')).toBe('13 B/s');
    expect(formatValue(2 ** 31, 'bytes')).toBe('2.0 GiB');
    expect(formatValue(null, 'bytes')).toBe('–');
    expect(formatCount(1234567)).toBe('1\u202f234\u202f567');
    expect(formatCount(999)).toBe('999');
  });

  it('say how long ago, and exactly when', () => {
    expect(String(ago(0, 65_000))).toBe(
      '<time datetime="1970-01-01T00:00:00.000Z" title="1970-01-01 00:00:00 UTC" data-tick="ago">1m 5s ago</time>',
    );
    expect(String(ago(0, 500))).toContain('just now');
    expect(String(ago(60_000, 0))).toContain('in 1m');
    expect(String(forLong(0, 86_400_000))).toContain('>1d<');
    expect([String(left(65_000, 5_000)), String(left(0, 5_000))].map((text) => />(.*)</.exec(text)?.[1])).toEqual(['1m', 'over']);
  });

  it('stand a clock that is beyond any calendar', () => expect(String(ago(1e300, 0))).toContain('+275760'));
});
