import { formatDuration } from '../support/durations.ts';
import type { Log } from '../support/log.ts';

const HOUR_MS = 3_600_000;
/** Lines that an endpoint which comes and goes may cause at once; one more is allowed every two hours. */
const LINES = 6;
const REFILL_MS = 7_200_000;

/** A failure in force: since when (both clocks, ms), how often, and what it is now. */
export interface Failure {
  since: number;
  sinceWall: number;
  failures: number;
  reason: string;
  detail: string;
}

interface Clocks {
  now: number;
  monotonic: number;
}

/**
 * The failures of one destination and what is written about them: the first, a change of reason, reminders after one
 * hour, two, four and so on with counts, and the recovery. A day without the endpoint is a handful of lines.
 */
export class Trouble {
  readonly #log: Log;
  readonly #about: { destination: string; endpoint: string };
  #current: Failure | undefined;
  #told = false;
  #remindAfter = HOUR_MS;
  #loggedAt = 0;
  #suppressed = 0;
  #lines = LINES;
  #filledAt = 0;

  constructor(log: Log, destination: string, endpoint: string) {
    this.#log = log;
    this.#about = { destination, endpoint };
  }

  get current(): Failure | undefined {
    return this.#current;
  }

  /** `same`: it is of one matter with the failure before, whose words stay where the reason is the same. */
  failed(reason: string, found: string, pending: number, clocks: Clocks, same = false): void {
    const before = this.#current;
    const detail = same && before?.reason === reason ? before.detail : found;
    const since = before?.since ?? clocks.monotonic;
    const failure = { since, sinceWall: before?.sinceWall ?? clocks.now, failures: (before?.failures ?? 0) + 1, reason, detail };
    this.#current = failure;
    if (!before) {
      this.#remindAfter = HOUR_MS;
      this.#told = this.#mayWrite(clocks.monotonic);
      if (!this.#told) this.#suppressed++;
      else this.#write({ reason, detail, pending }, 'heartbeats cannot be delivered, they wait in the outbox', clocks);
      return;
    }
    const due = clocks.monotonic - this.#loggedAt >= this.#remindAfter;
    if (due) this.#remindAfter *= 2;
    if (!due && (before.reason === reason || !this.#mayWrite(clocks.monotonic))) {
      this.#suppressed++;
      return;
    }
    this.#told = true;
    const fields = { reason, detail, pending, attempts: failure.failures, for: formatDuration(clocks.monotonic - since) };
    this.#write(fields, 'heartbeats still cannot be delivered', clocks);
  }

  ended(clocks: Clocks): void {
    const before = this.#current;
    if (!before) return;
    this.#current = undefined;
    // A failure that was passed over needs no line about its end.
    if (this.#told)
      this.#write(
        { after: formatDuration(clocks.monotonic - before.since), attempts: before.failures },
        'heartbeats are delivered again',
        clocks,
      );
  }

  #write(fields: Record<string, unknown>, message: string, clocks: Clocks): void {
    const level = this.#current ? 'warn' : 'info';
    this.#log[level]({ ...this.#about, ...fields, ...(this.#suppressed > 0 && { suppressed: this.#suppressed }) }, message);
    this.#loggedAt = clocks.monotonic;
    this.#suppressed = 0;
  }

  #mayWrite(monotonic: number): boolean {
    const refill = Math.floor((monotonic - this.#filledAt) / REFILL_MS);
    if (refill > 0) {
      this.#lines = Math.min(LINES, this.#lines + refill);
      this.#filledAt += refill * REFILL_MS;
    }
    if (this.#lines === 0) return false;
    this.#lines--;
    return true;
  }
}
