import type { Hub } from '../hub.ts';
import type { FleetRow } from '../store/store.ts';

/** How often a fleet is looked at while somebody watches, ms: changes that lie closer together are told as one. */
const EVERY_MS = 2_000;

/** Told at each look what the fleet is like; `rows` undefined where the store did not answer. */
export type Watcher = (rows: FleetRow[] | undefined) => void;

interface Watched {
  watchers: Set<Watcher>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Looks at an organisation's fleet for all who watch it together, and only while somebody does. It asks the store, for
 * what changes may have come in through another process.
 */
export class FleetWatch {
  readonly #hub: Pick<Hub, 'store' | 'log' | 'lookEveryMs'>;
  readonly #watched = new Map<string, Watched>();

  constructor(hub: Pick<Hub, 'store' | 'log' | 'lookEveryMs'>) {
    this.#hub = hub;
  }

  /** Watches from now on, with a first look at once; the result ends it. */
  watch(org: string, watcher: Watcher): () => void {
    const found = this.#watched.get(org) ?? { watchers: new Set(), timer: undefined };
    this.#watched.set(org, found);
    found.watchers.add(watcher);
    if (found.watchers.size === 1) void this.#look(org, found);
    else void this.#rows(org).then((rows) => found.watchers.has(watcher) && watcher(rows));
    return () => {
      found.watchers.delete(watcher);
      if (found.watchers.size > 0) return;
      clearTimeout(found.timer);
      if (this.#watched.get(org) === found) this.#watched.delete(org);
    };
  }

  async #look(org: string, found: Watched): Promise<void> {
    const rows = await this.#rows(org);
    for (const watcher of [...found.watchers]) watcher(rows);
    if (found.watchers.size > 0) found.timer = setTimeout(() => void this.#look(org, found), this.#hub.lookEveryMs ?? EVERY_MS);
  }

  async #rows(org: string): Promise<FleetRow[] | undefined> {
    try {
      return await this.#hub.store.fleet(org);
    } catch (error) {
      this.#hub.log?.warn({ err: error }, 'the fleet could not be read for live updates');
      return undefined;
    }
  }
}
