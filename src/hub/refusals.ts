import type { Hub } from './hub.ts';

const FLUSH_MS = 500;

/** Gathers refusals and writes them a little later, so that a flood of wrong keys costs one write and not thousands. */
export class Refusals {
  readonly #hub: Hub;
  #counts = new Map<string, { serverId: string | null; status: number; count: number; at: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  add(serverId: string | null, status: number): void {
    const name = `${serverId ?? ''} ${status}`;
    const found = this.#counts.get(name);
    const at = this.#hub.now();
    if (found) Object.assign(found, { count: found.count + 1, at });
    else this.#counts.set(name, { serverId, status, count: 1, at });
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS);
  }

  /** Writes what was gathered. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = this.#counts;
    this.#counts = new Map();
    try {
      for (const { serverId, status, count, at } of counts.values()) await this.#hub.store.refuse(serverId, status, count, at);
    } catch (error) {
      this.#hub.log?.error({ err: error }, 'refused requests could not be counted');
    }
  }
}
