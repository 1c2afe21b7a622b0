import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Duty, DutyRunner } from '../../../src/hub/duties/duty.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { tempFolder } from '../helpers.ts';

/* Several processes are several stores on one file here; time is the test's. */

const SECOND = 1_000;

let folder: ReturnType<typeof tempFolder>;
let stores: SqliteStore[];
let done: string[];
let failures: string[];
beforeEach(() => {
  vi.useFakeTimers();
  folder = tempFolder();
  [stores, done, failures] = [[], [], []];
});
afterEach(async () => {
  vi.useRealTimers();
  for (const store of stores) await store.close();
  folder.remove();
});

class Counted implements Duty {
  readonly name = 'count';
  readonly #who: string;
  readonly #work: (signal: AbortSignal) => Promise<number>;
  begun = 0;
  closed = 0;

  constructor(who: string, work: (signal: AbortSignal) => Promise<number> = async () => SECOND) {
    this.#who = who;
    this.#work = work;
  }

  begin(): void {
    this.begun++;
  }

  async step(signal: AbortSignal): Promise<number> {
    done.push(this.#who);
    return this.#work(signal);
  }

  close(): void {
    this.closed++;
  }
}

function runner(duty: Duty): DutyRunner {
  const store = SqliteStore.open(folder.path);
  stores.push(store);
  const none = () => {};
  const error = (_: unknown, message: string) => void failures.push(message);
  const made = new DutyRunner({ store, now: () => Date.now(), log: { debug: none, info: none, warn: none, error } }, duty);
  made.start();
  return made;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a duty', () => {
  it('is done by one of several, and passes on at once when that one stops', async () => {
    const duties = [new Counted('a'), new Counted('b')];
    const a = runner(duties[0]!);
    await pass(10);
    const b = runner(duties[1]!);
    await pass(60 * SECOND);
    expect(new Set(done)).toEqual(new Set(['a']));
    expect(done.length).toBeGreaterThan(55);
    expect(duties[0]?.begun).toBe(1);
    await a.stop();
    done = [];
    await pass(3 * SECOND);
    expect(new Set(done)).toEqual(new Set(['b']));
    await b.stop();
    expect(duties.map((one) => one.closed)).toEqual([1, 1]);
  });

  it('passes on within some seconds when its process dies', async () => {
    const a = runner(new Counted('a'));
    await pass(SECOND);
    const b = runner(new Counted('b'));
    // Killed: it neither renews nor gives up.
    vi.spyOn(stores[0]!, 'lease').mockRejectedValue(new Error('gone'));
    const before = done.length;
    await pass(18 * SECOND);
    expect(done.slice(before)).toContain('b');
    await Promise.all([a.stop(), b.stop()]);
  });

  it('stays with a process whose step takes longer than its lease', async () => {
    let finish = () => {};
    const slow = new Counted('a', () => new Promise((resolve) => (finish = () => resolve(0))));
    const a = runner(slow);
    await pass(10);
    const b = runner(new Counted('b'));
    await pass(120 * SECOND);
    expect(done).toEqual(['a']);
    const stopping = a.stop();
    finish();
    await stopping;
    await b.stop();
  });

  it('is tried again after a failure, and begun anew', async () => {
    let count = 0;
    const duty = new Counted('a', async () => {
      if (++count === 3) throw new Error('the disk is full');
      return SECOND;
    });
    const a = runner(duty);
    await pass(30 * SECOND);
    expect(failures).toHaveLength(1);
    expect(done.length).toBeGreaterThan(20);
    expect(duty.begun).toBe(2);
    await a.stop();
  });

  it('ends its wait when it is to stop, and is told so in the midst of a step', async () => {
    const waiting = runner(new Counted('a', async () => 3_600 * SECOND));
    await pass(10);
    await waiting.stop();
    const inStep = runner(new Counted('b', (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(0)))));
    await pass(10);
    await inStep.stop();
    expect(done).toEqual(['a', 'b']);
  });
});
