interface Window {
  since: number;
  failures: number;
}

/** Counts failures per source in windows of time, and says when a source has had too many. */
export class Throttle {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #sourcesMax: number;
  readonly #windows = new Map<string, Window>();

  constructor(limit: number, windowMs: number, sourcesMax = 10_000) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#sourcesMax = sourcesMax;
  }

  /** Counts one failure at `now` (monotonic, ms); returns how many ms the source should stay away, 0 while it is within the limit. */
  fail(source: string, now: number): number {
    let window = this.#windows.get(source);
    if (!window || now - window.since >= this.#windowMs) {
      window = { since: now, failures: 0 };
      this.#windows.delete(source);
      this.#makeRoom(now);
      this.#windows.set(source, window);
    }
    window.failures++;
    return window.failures > this.#limit ? window.since + this.#windowMs - now : 0;
  }

  /**
   * Takes one failure off, for a success from the same source: where good keys come from, behind one address of many hosts
   * say, the odd wrong one is no attack. Every rotation sends one on purpose.
   */
  succeed(source: string): void {
    const window = this.#windows.get(source);
    if (window && window.failures > 0) window.failures--;
  }

  /** Windows stand in the order they began, so the oldest are first; a flood of sources must not fill the memory. */
  #makeRoom(now: number): void {
    for (const [source, window] of this.#windows) {
      if (now - window.since < this.#windowMs && this.#windows.size < this.#sourcesMax) return;
      this.#windows.delete(source);
    }
  }
}

/** Whom failures from an address are counted to: of IPv6 the network of 64 bits, for whoever has one address has them all. */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const [first, last] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':'))) as [string[], string[]];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...last].slice(0, 4).join(':');
}
