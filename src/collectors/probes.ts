/** What is used of statfs(2). */
export interface Space {
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
}

/** Calls outstanding at once: a call that hangs keeps a thread, and libuv's pool has four for everything. */
const MOST_OUTSTANDING = 2;

/**
 * Asks file systems that may never answer. Each has at most one call outstanding, all together two; whoever does not
 * answer within the time given is stale, and is not asked again until its call returns.
 */
export class Probes {
  readonly #statfs: (path: string) => Promise<Space>;
  readonly #outstanding = new Set<string>();
  /** Where the next round begins, so that two dead mounts do not always stand before the same living ones. */
  #turn = 0;

  constructor(statfs: (path: string) => Promise<Space>) {
    this.#statfs = statfs;
  }

  /** Calls that have not returned. */
  get hung(): number {
    return this.#outstanding.size;
  }

  /** What each of `paths` answered within `patience` ms; an Error where it was refused. Those that are missing are stale. */
  async ask(paths: string[], patience: number): Promise<Map<string, Space | Error>> {
    const answers = new Map<string, Space | Error>();
    const start = this.#turn++ % Math.max(paths.length, 1);
    const queue = [...paths.slice(start), ...paths.slice(0, start)].filter((path) => !this.#outstanding.has(path));
    if (queue.length === 0) return answers;
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    const patienceEnds = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    const asker = async (): Promise<void> => {
      while (!over && this.#outstanding.size < MOST_OUTSTANDING) {
        const path = queue.shift();
        if (path === undefined) return;
        this.#outstanding.add(path);
        try {
          answers.set(path, await this.#statfs(path));
        } catch (error) {
          answers.set(path, error as Error);
        } finally {
          this.#outstanding.delete(path);
        }
      }
    };
    await Promise.race([Promise.all([asker(), asker()]), patienceEnds]);
    over = true;
    clearTimeout(timer);
    return new Map(answers);
  }
}
