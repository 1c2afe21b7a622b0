import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Scheduler, type Tick } from '../../src/agent/scheduler.ts';

describe('Scheduler', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  /** Two clocks that tests move by hand, the timers along with the monotonic one. */
  class Clocks {
    mono = 1_000;
    wall = 1_700_000_000_000;
    now = () => this.wall;
    monotonic = () => this.mono;

    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 10) {
        this.mono += 10;
        this.wall += 10;
        await vi.advanceTimersByTimeAsync(10);
      }
    }
  }

  function scheduled(interval: number, work: () => Promise<void> = async () => {}) {
    const clocks = new Clocks();
    const ticks: Tick[] = [];
    const errors: unknown[] = [];
    const run = (tick: Tick) => {
      ticks.push(tick);
      return work();
    };
    const scheduler = new Scheduler({ host: clocks, interval, run, onError: (error) => errors.push(error), random: () => 0.5 });
    return { clocks, ticks, errors, scheduler };
  }

  it('samples at once, then at a phase of its own, then every interval', async () => {
    const { clocks, ticks, scheduler } = scheduled(10_000);
    scheduler.start();
    expect(ticks).toHaveLength(1);
    await clocks.pass(5_000);
    expect(ticks).toHaveLength(2);
    await clocks.pass(20_000);
    expect(ticks).toHaveLength(4);
    expect(ticks.every((tick) => tick.missed === 0 && tick.clockJump === 0)).toBe(true);
  });

  it('reports a wall clock that was set, either way, and keeps its pace', async () => {
    const { clocks, ticks, scheduler } = scheduled(1_000);
    scheduler.start();
    await clocks.pass(500);
    clocks.wall -= 3_600_000;
    await clocks.pass(1_000);
    clocks.wall += 7_200_000;
    await clocks.pass(1_000);
    expect(ticks.map((tick) => tick.clockJump)).toEqual([0, 0, -3_600_000, 7_200_000]);
  });

  it('drops and counts what fell due while a tick was at work, and never runs two at once', async () => {
    let finish = () => {};
    const { clocks, ticks, scheduler } = scheduled(
      1_000,
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    scheduler.start();
    await clocks.pass(3_500);
    expect(ticks).toHaveLength(1);
    finish();
    await clocks.pass(1_000);
    expect(ticks).toHaveLength(2);
    expect(ticks[1]?.missed).toBe(4);
  });

  it('counts ticks missed while the process stood still, without a burst afterwards', async () => {
    const { clocks, ticks, scheduler } = scheduled(1_000);
    scheduler.start();
    await clocks.pass(500);
    clocks.mono += 60_000;
    clocks.wall += 60_000;
    await clocks.pass(1_000);
    expect(ticks).toHaveLength(3);
    expect(ticks[2]?.missed).toBe(60);
  });

  it('goes on after a tick that failed', async () => {
    const { clocks, ticks, errors, scheduler } = scheduled(1_000, async () => {
      throw new Error('no');
    });
    scheduler.start();
    await clocks.pass(1_500);
    expect(ticks).toHaveLength(3);
    expect(errors).toHaveLength(3);
  });

  it('takes a new interval from the moment it is told, and stops when told', async () => {
    const { clocks, ticks, scheduler } = scheduled(10_000);
    scheduler.start();
    scheduler.setInterval(1_000);
    await clocks.pass(3_000);
    expect(ticks).toHaveLength(4);
    await scheduler.stop();
    await clocks.pass(5_000);
    expect(ticks).toHaveLength(4);
  });
});
