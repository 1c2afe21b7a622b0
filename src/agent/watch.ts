import { type BigIntStats, statSync } from 'node:fs';

/** How often files are looked at. A look costs a few microseconds a file, and a change of key waits no longer than this. */
const PERIOD_MS = 5_000;
/** A file must look the same twice over this time before it is read: it may be half written. */
const SETTLE_MS = 200;

/**
 * Tells when one of some files changes, by looking at what their names lead to. Unlike inotify this survives atomic
 * replacement, Kubernetes' `..data` links and network file systems, with nothing to set up again afterwards.
 */
export class Watch {
  readonly #paths: () => string[];
  readonly #onChange: () => void;
  readonly #period: number;
  #seen = '';
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;

  constructor(paths: () => string[], onChange: () => void, period = PERIOD_MS) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#period = period;
  }

  start(): void {
    this.accept();
    this.#timer = setInterval(() => this.#look(), this.#period);
  }

  /** Takes what is there now as known: when somebody is about to read it. */
  accept(): void {
    this.#seen = this.#signature();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#settling);
  }

  #look(): void {
    const now = this.#signature();
    if (now === this.#seen) return;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      if (this.#signature() !== now) return;
      this.#seen = now;
      this.#onChange();
    }, SETTLE_MS);
    this.#settling.unref();
  }

  #signature(): string {
    let text = '';
    for (const path of this.#paths()) {
      const found = look(path);
      text += found ? `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs};` : '-;';
    }
    return text;
  }
}

/** A folder that may no longer be entered is, to a watcher, a file that is gone. */
function look(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false, bigint: true });
  } catch {
    return undefined;
  }
}
