import type { Host } from '../support/host.ts';

/** What one tick learned of time itself. */
export interface Tick {
  /** Ticks that fell due while the one before was still at work, or the process stood still. */
  missed: number;
  /** How far the wall clock moved against the monotonic one since the last tick, ms; 0 when it kept pace. */
  clockJump: number;
}

/** A wall clock that strays less than this between two ticks is being slewed, not set. */
const JUMP_MS = 2_000;

interface Options {
  host: Pick<Host, 'now' | 'monotonic'>;
  /** Milliseconds between two ticks. */
  interval: number;
  /** The work of a tick. Never runs beside itself; what it throws goes to `onError`. */
  run(tick: Tick): Promise<void>;
  onError(error: unknown): void;
  /** 0 to 1; where in the interval the second tick falls, so that a fleet that booted together does not report together. */
  random?: () => number;
}

/**
 * Calls `run` at once and then every `interval`, on the monotonic clock: a wall clock that is set forward or back is
 * reported in the tick and changes nothing. Late ticks are dropped and counted, never caught up in a burst.
 */
export class Scheduler {
  #options: Options;
  #timer: NodeJS.Timeout | undefined;
  #due = 0;
  #wall = 0;
  #mono = 0;
  #dropped = 0;
  #running: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  start(): void {
    const { host, interval, random = Math.random } = this.#options;
    this.#mono = host.monotonic();
    this.#wall = host.now();
    // Below a second the phase matters to nobody, and a steady rate does.
    this.#due = this.#mono + (interval >= 1_000 ? -interval * random() : 0);
    this.#fire();
  }

  /** Changes the interval; the next tick falls one new interval after the last. */
  setInterval(interval: number): void {
    if (interval === this.#options.interval) return;
    this.#options = { ...this.#options, interval };
    if (!this.#timer) return;
    this.#due = this.#options.host.monotonic();
    this.#arm();
  }

  /** Stops ticking, and waits for a tick under way. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#due += this.#options.interval;
    this.#timer = setTimeout(() => this.#fire(), Math.max(0, this.#due - this.#options.host.monotonic()));
  }

  #fire(): void {
    const tick = this.#look();
    this.#arm();
    if (this.#running) {
      this.#dropped += tick.missed + 1;
      return;
    }
    tick.missed += this.#dropped;
    this.#dropped = 0;
    this.#running = this.#options
      .run(tick)
      .catch(this.#options.onError)
      .finally(() => {
        this.#running = undefined;
      });
  }

  #look(): Tick {
    const { host, interval } = this.#options;
    const mono = host.monotonic();
    const wall = host.now();
    const strayed = wall - this.#wall - (mono - this.#mono);
    this.#mono = mono;
    this.#wall = wall;
    const missed = Math.max(0, Math.floor((mono - this.#due) / interval));
    this.#due += missed * interval;
    return { missed, clockJump: Math.abs(strayed) >= JUMP_MS ? Math.round(strayed) : 0 };
  }
}
