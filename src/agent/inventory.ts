import { execFile } from 'node:child_process';
import type { Inventory } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import { ownArguments } from '../support/self.ts';

const PERIOD_MS = 3_600_000;
/** Slower than this and something hangs (a disk that does not answer its name); the next hour tries again. */
const LIMIT_MS = 60_000;

/**
 * Facts of the host that seldom change. They are read by a short-lived child, since the library that knows them is
 * large and spawns shells, and wait here until a heartbeat takes them along.
 */
export class InventoryFeed {
  readonly #program: string;
  readonly #host: Host;
  readonly #onError: (error: Error) => void;
  #asked: number | undefined;
  #found: Inventory | undefined;
  #stop: AbortController | undefined;

  constructor(program: string, host: Host, onError: (error: Error) => void) {
    this.#program = program;
    this.#host = host;
    this.#onError = onError;
  }

  /** What was found since the last call, if anything; asks anew when an hour has gone by. */
  take(): Inventory | undefined {
    const now = this.#host.monotonic();
    if (this.#asked === undefined || now - this.#asked >= PERIOD_MS) {
      this.#asked = now;
      this.#ask();
    }
    const found = this.#found;
    this.#found = undefined;
    return found;
  }

  stop(): void {
    this.#stop?.abort();
  }

  #ask(): void {
    this.#stop = new AbortController();
    const { proc, sys, root } = this.#host;
    const args = ownArguments(this.#program, ['inventory', '--json', '--proc', proc, '--sys', sys, '--root', root]);
    execFile(process.execPath, args, { signal: this.#stop.signal, timeout: LIMIT_MS, maxBuffer: 1 << 20 }, (error, stdout) => {
      this.#stop = undefined;
      if (error?.name === 'AbortError') return;
      if (error) return this.#onError(error);
      try {
        this.#found = JSON.parse(stdout) as Inventory;
      } catch (broken) {
        this.#onError(broken as Error);
      }
    });
  }
}
