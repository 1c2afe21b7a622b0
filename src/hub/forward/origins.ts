import type { Inventory } from '../../protocol/heartbeat.ts';
import type { Hub } from '../hub.ts';
import { OrganisationNames } from '../people/organisation-names.ts';
import type { Placed } from '../store/stream.ts';
import type { Origin } from './convert.ts';

/** Servers whose facts are remembered, and for how long, ms. */
const FACTS_MOST = 10_000;
const FACTS_MS = 600_000;

/** What is told of servers with all of their heartbeats, remembered for a while. */
export class Origins {
  readonly #hub: Pick<Hub, 'store' | 'monotonic'>;
  readonly #organisations: OrganisationNames;
  readonly #facts = new Map<string, { facts: Inventory; until: number }>();

  constructor(hub: Pick<Hub, 'store' | 'monotonic'>) {
    this.#hub = hub;
    this.#organisations = new OrganisationNames(hub.store);
  }

  /** The origin of each of these heartbeats. */
  async of(rows: Placed[]): Promise<(row: Placed) => Origin> {
    const found = new Map<string, Origin>();
    for (const { server } of rows) {
      if (found.has(server.id)) continue;
      found.set(server.id, { organisation: await this.#organisations.of(server.org), facts: await this.#factsOf(server.id) });
    }
    return (row) => found.get(row.server.id)!;
  }

  async #factsOf(server: string): Promise<Inventory> {
    const now = this.#hub.monotonic();
    const known = this.#facts.get(server);
    if (known && known.until > now) return known.facts;
    const facts = parsed(await this.#hub.store.inventory(server));
    if (this.#facts.size >= FACTS_MOST) this.#facts.clear();
    this.#facts.set(server, { facts, until: now + FACTS_MS });
    return facts;
  }
}

/** The two facts that are attributes of a resource; the rest of an inventory is long. */
function parsed(text: string | null): Inventory {
  try {
    const all = JSON.parse(text ?? '{}') as Inventory;
    return Object.fromEntries(['host.id', 'os.type'].flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
  } catch {
    return {};
  }
}
