/** What the signals of a daemon do. */
export interface Handlers {
  reload(): Promise<void>;
  debug(): void;
  stop(signal: string): void;
}

/** Signals that come before there is anything to handle them are kept for it. */
export class Signals {
  #handlers: Handlers | undefined;
  readonly #early = new Set<NodeJS.Signals>();

  install(): void {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => this.#take(signal));
  }

  attach(handlers: Handlers): void {
    this.#handlers = handlers;
    for (const signal of this.#early) this.#take(signal);
  }

  #take(signal: NodeJS.Signals): void {
    if (!this.#handlers) this.#early.add(signal);
    else if (signal === 'SIGHUP') void this.#handlers.reload();
    else if (signal === 'SIGUSR2') this.#handlers.debug();
    else this.#handlers.stop(signal);
  }
}
