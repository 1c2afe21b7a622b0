import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Tidy } from '../../src/agent/tidy.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('Tidy', () => {
  it('collects once the start is over, and then four times an hour', () => {
    const collect = vi.fn();
    const tidy = new Tidy(collect);
    tidy.start();
    vi.advanceTimersByTime(19_999);
    expect(collect).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(collect.mock.calls).toEqual([[{ type: 'major', execution: 'sync', flavor: 'last-resort' }]]);
    vi.advanceTimersByTime(24 * 3_600_000);
    expect(collect).toHaveBeenCalledTimes(97);
    tidy.stop();
    vi.advanceTimersByTime(24 * 3_600_000);
    expect(collect).toHaveBeenCalledTimes(97);
  });

  it('does nothing in a process that has no collector to call', () => {
    new Tidy(null).start();
    expect(vi.getTimerCount()).toBe(0);
  });
});
