import type { Hub } from '../hub.ts';

const FLUSH_MS = 500;
const RETRY_MS = 15_000;

/** Gathers refusals and writes them a little later, so that a flood of wrong keys costs one write and not thousands. */
export class Refusals {
  readonly #hub: Hub;
  #counts = new Map<string, { serverId: string | null; status: number; count: number; at: number }>();
  #timer: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  add(serverId: string | null, status: number, count = 1, at = this.#hub.now()): void {
    const name = `${serverId ?? ''} ${status}`;
    const found = this.#counts.get(name);
    if (found) Object.assign(found, { count: found.count + count, at: Math.max(found.at, at) });
    else this.#counts.set(name, { serverId, status, count, at });
    // Unreferenced: a hub that is stopped while its store is away must not stay for what it could not count.
    this.#timer ??= setTimeout(() => void this.flush(), this.#failing ? RETRY_MS : FLUSH_MS).unref();
  }

  /** Writes what was gathered; what cannot be written now is written later. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = this.#counts;
    this.#counts = new Map();
    try {
      for (const [name, { serverId, status, count, at }] of counts) {
        await this.#hub.store.refuse(serverId, status, count, at);
        counts.delete(name);
      }
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#hub.log?.error({ err: error }, 'refused requests could not be counted; they are once the store takes them');
      this.#failing = true;
      for (const { serverId, status, count, at } of counts.values()) this.add(serverId, status, count, at);
    }
  }
}
