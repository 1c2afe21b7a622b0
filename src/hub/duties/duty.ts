import { randomUUID } from 'node:crypto';
import type { Hub } from '../hub.ts';
import { isAway } from '../store/away.ts';

/** How long a duty stays with a process that does not renew it, ms. */
const LEASE_MS = 15_000;
const RENEW_MS = 5_000;
/** How often a process asks for a duty that another has, ms. */
const ASK_MS = 2_000;
/** Pause after a failure of the store, ms: what else fails a duty handles itself. */
const FAILED_MS = 5_000;

/** Work beside the server that one process of several does. */
export interface Duty {
  /** Name of its lease. */
  readonly name: string;
  /** It is this process's from now on: what was remembered of an earlier time may be out of date. */
  begin?(): void;
  /** Does a little of it; resolves to how long to wait before the next step, ms. What waits for others ends with `signal`. */
  step(signal: AbortSignal): Promise<number>;
  /** Ends what it keeps open. */
  close?(): void;
}

/** Does a duty whenever no other process does. */
export class DutyRunner {
  readonly #hub: Pick<Hub, 'store' | 'now' | 'log'>;
  readonly #duty: Duty;
  readonly #holder = randomUUID();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #held = false;

  constructor(hub: Pick<Hub, 'store' | 'now' | 'log'>, duty: Duty) {
    this.#hub = hub;
    this.#duty = duty;
  }

  start(): void {
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Lets the step under way end, and the duty pass to another process. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#duty.close?.();
  }

  async #run(signal: AbortSignal): Promise<void> {
    // Beside the steps, for one may take longer than the lease lasts.
    const renewing = setInterval(() => void (this.#held && this.#ask(LEASE_MS)), RENEW_MS);
    while (!signal.aborted) {
      try {
        await sleep(await this.#turn(signal), signal);
      } catch (error) {
        this.#held = false;
        if (!isAway(error)) this.#hub.log?.error({ err: error, duty: this.#duty.name }, 'a duty of the hub failed and is tried again');
        await sleep(FAILED_MS, signal);
      }
    }
    clearInterval(renewing);
    if (this.#held) await this.#ask(0);
  }

  async #turn(signal: AbortSignal): Promise<number> {
    if (!this.#held) {
      await this.#ask(LEASE_MS);
      if (!this.#held) return ASK_MS;
      this.#duty.begin?.();
    }
    return this.#duty.step(signal);
  }

  async #ask(ms: number): Promise<void> {
    try {
      this.#held = await this.#hub.store.lease(this.#duty.name, this.#holder, this.#hub.now(), ms);
    } catch {
      // The store is away. The lease runs out by itself, and the next step finds the fault.
      this.#held = false;
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
