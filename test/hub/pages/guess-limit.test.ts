import { describe, expect, it } from 'vitest';
import { GuessLimit } from '../../../src/hub/pages/guess-limit.ts';

const at = { ms: 0 };
const make = (options = {}) => {
  at.ms = 0;
  return new GuessLimit(() => at.ms, options);
};

describe('the limit on guessing', () => {
  it('doubles the wait with each failure that is not free, up to a quarter of an hour', () => {
    const limit = make();
    const waits = Array.from({ length: 18 }, () => {
      limit.count('a');
      const wait = limit.wait('a');
      at.ms += wait;
      return wait / 1_000;
    });
    expect(waits.slice(0, 9)).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16]);
    expect(waits.at(-1)).toBe(900);
  });

  it('forgets after an hour, or when the attempt was right', () => {
    const limit = make({ free: 1 });
    limit.count('a');
    expect(limit.wait('a')).toBe(1_000);
    limit.forgive('a', true);
    expect(limit.wait('a')).toBe(0);
    limit.count('a');
    limit.count('a');
    limit.forgive('a', false);
    expect(limit.wait('a')).toBe(0);
    limit.count('a');
    expect(limit.wait('a')).toBe(2_000);
    at.ms += 2 * 3_600_000;
    limit.count('a');
    expect(limit.wait('a')).toBe(1_000);
  });

  it('keeps a bounded number of subjects, the latest ones', () => {
    const limit = make({ free: 1, subjects: 3 });
    for (const name of ['a', 'b', 'c', 'a', 'd']) limit.count(name);
    expect(['a', 'b', 'c', 'd'].map((name) => limit.wait(name) > 0)).toEqual([true, false, true, true]);
  });
});
