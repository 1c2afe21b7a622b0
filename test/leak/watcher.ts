import { readdirSync, readFileSync } from 'node:fs';

/** How often a process that is not ours is looked at before it is passed over: until then it may be about to become ours. */
const LOOKS = 50;
const EVERY_MS = 3;

/**
 * Collects the arguments and the environment of every process that carries a mark in its environment, for as long as it
 * runs: what any program of the same user could read.
 */
export class Watcher {
  readonly #mark: string;
  readonly #foreign = new Map<string, number>();
  /** Command line, then each environment that a process of it had. */
  readonly seen = new Map<string, Set<string>>();
  #timer: NodeJS.Timeout | undefined;

  /** `mark` is NAME=value. */
  constructor(mark: string) {
    this.#mark = mark;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const pid of readdirSync('/proc')) {
      if (!/^\d/.test(pid) || (this.#foreign.get(pid) ?? 0) > LOOKS) continue;
      const environment = read(`/proc/${pid}/environ`);
      if (!environment.split('\0').includes(this.#mark)) {
        this.#foreign.set(pid, (this.#foreign.get(pid) ?? 0) + 1);
        continue;
      }
      const command = read(`/proc/${pid}/cmdline`);
      if (command === '') continue;
      const known = this.seen.get(command) ?? new Set();
      this.seen.set(command, known.add(environment));
    }
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended, or belongs to somebody else.
    return '';
  }
}
