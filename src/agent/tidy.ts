/** Milliseconds after the start by which what a start alone needs is no longer in use. */
const SETTLED_MS = 20_000;
/** Milliseconds between two further collections: each sample leaves some 10 to 40 kB to them. */
const PERIOD_MS = 900_000;

/**
 * Has V8 give memory back that nothing uses: by itself it collects so small a heap seldom, and keeps what a start took
 * (some 2 MB; bench/agent.ts). One collection takes about 30 ms of the processor. Does nothing where the process was not
 * started with `--expose-gc`.
 */
export class Tidy {
  readonly #collect: NodeJS.GCFunction | null;
  #timer: NodeJS.Timeout | undefined;

  constructor(collect: NodeJS.GCFunction | null = globalThis.gc ?? null) {
    this.#collect = collect;
  }

  start(): void {
    if (this.#collect) this.#arm(SETTLED_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(wait: number): void {
    this.#timer = setTimeout(() => {
      // Of the flavours only this one also returns the pages to the kernel.
      this.#collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      this.#arm(PERIOD_MS);
    }, wait);
    this.#timer.unref();
  }
}
