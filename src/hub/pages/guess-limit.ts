interface Failures {
  count: number;
  /** Monotonic, ms: no further attempt before. */
  until: number;
  last: number;
}

export interface GuessOptions {
  /** Failures that cost no waiting. */
  free: number;
  /** Milliseconds; the wait after the first failure that is not free, doubled by each one after it. */
  base: number;
  /** Milliseconds; the longest wait. */
  most: number;
  /** Milliseconds without an attempt after which failures are forgotten. */
  forget: number;
  /** Most subjects kept; beyond that the ones that failed longest ago are forgotten first. */
  subjects: number;
}

const DEFAULTS: GuessOptions = { free: 5, base: 1_000, most: 15 * 60_000, forget: 60 * 60_000, subjects: 10_000 };

/**
 * Slows guessing down: each attempt counts as failed until it is forgiven, so many at once gain nothing. A subject is
 * whatever the caller counts by, such as an account as seen from one address.
 */
export class GuessLimit {
  readonly #now: () => number;
  readonly #options: GuessOptions;
  readonly #subjects = new Map<string, Failures>();

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number, options: Partial<GuessOptions> = {}) {
    this.#now = now;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Milliseconds until the subject may try again; 0 when it may now. */
  wait(subject: string): number {
    const found = this.#subjects.get(subject);
    return found ? Math.max(0, found.until - this.#now()) : 0;
  }

  /** Counts an attempt as failed. */
  count(subject: string): void {
    const now = this.#now();
    const { free, base, most, forget, subjects } = this.#options;
    const found = this.#subjects.get(subject);
    const count = found && now - found.last < forget ? found.count + 1 : 1;
    // Removed and set anew, so that the map's order is the order of the last failures.
    this.#subjects.delete(subject);
    const wait = count < free ? 0 : Math.min(most, base * 2 ** Math.min(count - free, 30));
    this.#subjects.set(subject, { count, until: now + wait, last: now });
    if (this.#subjects.size > subjects) this.#subjects.delete(this.#subjects.keys().next().value as string);
  }

  /** Takes one attempt back, or all of them. */
  forgive(subject: string, all: boolean): void {
    const found = this.#subjects.get(subject);
    if (!found) return;
    if (all || found.count <= 1) this.#subjects.delete(subject);
    else this.#subjects.set(subject, { ...found, count: found.count - 1, until: this.#now() });
  }
}
