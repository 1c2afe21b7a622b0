const WINDOW_MS = 60_000;
const ALLOWED = 5;
/** Messages are fixed sentences, so there are few; this only bounds a mistake. */
const MOST = 256;

interface Seen {
  level: number;
  message: string;
  until: number;
  count: number;
}

/** Called when a window ends in which lines were held back. */
export type Report = (level: number, message: string, suppressed: number) => void;

/**
 * Flood control: of one message at one level, the first five lines within a minute pass, the others are counted and
 * reported in one line when the minute ends. There is a timer only while something is held back.
 */
export class Flood {
  readonly #report: Report;
  readonly #monotonic: () => number;
  readonly #seen = new Map<string, Seen>();
  #timer: NodeJS.Timeout | undefined;

  /** `monotonic`: milliseconds on a clock that is never set. */
  constructor(report: Report, monotonic: () => number) {
    this.#report = report;
    this.#monotonic = monotonic;
  }

  /** Whether this line may be written. */
  pass(level: number, message: string): boolean {
    const now = this.#monotonic();
    const id = `${level} ${message}`;
    let seen = this.#seen.get(id);
    if (seen && now >= seen.until) {
      this.#close(id, seen);
      seen = undefined;
    }
    if (!seen) {
      if (this.#seen.size >= MOST) this.flush();
      seen = { level, message, until: now + WINDOW_MS, count: 0 };
      this.#seen.set(id, seen);
    }
    seen.count += 1;
    if (seen.count <= ALLOWED) return true;
    this.#arm(now);
    return false;
  }

  /** Reports what is held back and begins anew: before the process ends. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [id, seen] of [...this.#seen]) this.#close(id, seen);
  }

  #close(id: string, seen: Seen): void {
    this.#seen.delete(id);
    if (seen.count > ALLOWED) this.#report(seen.level, seen.message, seen.count - ALLOWED);
  }

  #arm(now: number): void {
    if (this.#timer) return;
    let next = Number.POSITIVE_INFINITY;
    for (const seen of this.#seen.values()) if (seen.count > ALLOWED) next = Math.min(next, seen.until);
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(1, Math.ceil(next - now)));
    this.#timer.unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#monotonic();
    for (const [id, seen] of [...this.#seen]) if (now >= seen.until) this.#close(id, seen);
    this.#arm(now);
  }
}
