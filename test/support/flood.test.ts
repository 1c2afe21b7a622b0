import { afterEach, describe, expect, it, vi } from 'vitest';
import { Flood } from '../../src/support/flood.ts';

afterEach(() => vi.useRealTimers());

function flood() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const reports: unknown[] = [];
  return {
    reports,
    it: new Flood(
      (...report) => reports.push(report),
      () => performance.now(),
    ),
  };
}

describe('Flood', () => {
  it('needs no timer while nothing is held back', () => {
    const { it } = flood();
    for (let count = 0; count < 5; count += 1) it.pass(30, 'same');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('reports when the window ends, and then needs no timer either', () => {
    const { it, reports } = flood();
    const passed = Array.from({ length: 12 }, () => it.pass(40, 'same')).filter(Boolean);
    expect(passed).toHaveLength(5);
    vi.advanceTimersByTime(60_000);
    expect(reports).toEqual([[40, 'same', 7]]);
    expect(vi.getTimerCount()).toBe(0);
    expect(it.pass(40, 'same')).toBe(true);
  });

  it('counts each message and each level by itself', () => {
    const { it } = flood();
    for (let count = 0; count < 5; count += 1) it.pass(30, 'same');
    expect(it.pass(40, 'same')).toBe(true);
    expect(it.pass(30, 'other')).toBe(true);
    expect(it.pass(30, 'same')).toBe(false);
  });

  it('forgets nothing it held back when messages are many', () => {
    const { it, reports } = flood();
    for (let count = 0; count < 8; count += 1) it.pass(30, 'same');
    for (let count = 0; count < 600; count += 1) it.pass(30, `message ${count}`);
    expect(reports).toEqual([[30, 'same', 3]]);
  });
});
