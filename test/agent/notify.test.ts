import { afterEach, describe, expect, it, vi } from 'vitest';
import { Notifier } from '../../src/agent/notify.ts';
import type { Log } from '../../src/support/log.ts';

afterEach(() => vi.useRealTimers());

function notifier(env: NodeJS.ProcessEnv, interval?: number) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  const sent: string[][] = [];
  const errors: string[] = [];
  const log: Log = { debug() {}, info() {}, warn: (_, text) => errors.push(text), error: (_, text) => errors.push(text) };
  const state = { progress: 1 };
  const it = new Notifier({
    // The clock that the fake timers move.
    monotonic: () => performance.now(),
    progress: () => state.progress,
    ...(interval !== undefined && { interval: () => interval }),
    log,
    env,
    send: async (assignments) => void sent.push(assignments),
  });
  return { it, sent, errors, state };
}

const SOCKET = { NOTIFY_SOCKET: '/run/x' };

describe('Notifier', () => {
  it('does nothing outside systemd', async () => {
    const { it, sent } = notifier({ WATCHDOG_USEC: '1000000' });
    it.ready();
    it.stopping();
    await it.idle;
    expect(sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells start, reload and end, in order', async () => {
    const { it, sent } = notifier(SOCKET);
    it.ready();
    it.reloading();
    it.ready();
    it.stopping();
    await it.idle;
    expect(sent.map(([first]) => first)).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
    expect(sent[1]?.[1]).toMatch(/^MONOTONIC_USEC=\d+$/);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('feeds the watchdog at half its time while samples are taken, and not when they stop', async () => {
    const { it, sent, errors, state } = notifier({ ...SOCKET, WATCHDOG_USEC: '60000000' }, 10_000);
    const fed = async () => {
      await it.idle;
      return sent.splice(0).filter(([first]) => first === 'WATCHDOG=1').length;
    };
    it.ready();
    for (let step = 0; step < 4; step += 1) {
      state.progress += 1;
      vi.advanceTimersByTime(30_000);
    }
    expect(await fed()).toBe(4);
    vi.advanceTimersByTime(300_000);
    expect(await fed()).toBe(2);
    expect(errors).toHaveLength(1);
    state.progress += 1;
    vi.advanceTimersByTime(30_000);
    expect(await fed()).toBe(1);
    it.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is patient with a long interval', async () => {
    const { it, sent } = notifier({ ...SOCKET, WATCHDOG_USEC: '60000000' }, 3_600_000);
    it.ready();
    vi.advanceTimersByTime(7_200_000);
    await it.idle;
    expect(sent.filter(([first]) => first === 'WATCHDOG=1')).toHaveLength(240);
    it.stop();
  });

  it('leaves a watchdog that is meant for another process alone', () => {
    const { it } = notifier({ ...SOCKET, WATCHDOG_USEC: '60000000', WATCHDOG_PID: String(process.pid + 1) });
    it.ready();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('logs a service manager that cannot be told, and goes on', async () => {
    const errors: string[] = [];
    const log: Log = { debug() {}, info() {}, warn: (_, text) => errors.push(text), error() {} };
    const it = new Notifier({
      progress: () => 0,
      log,
      env: SOCKET,
      send: async () => {
        throw new Error('ENOENT');
      },
    });
    it.ready();
    it.stopping();
    await it.idle;
    expect(errors).toHaveLength(2);
  });
});
