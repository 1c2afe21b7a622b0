import { type ServerState, sinceOf, stateOf } from '../servers.ts';
import { SILENT_AFTER, type SilentAfter } from '../silence.ts';
import type { FleetRow } from '../store/store.ts';

/** How long a refusal is worth showing, ms: an agent that is refused asks again within 15 minutes. */
const REFUSED_MS = 20 * 60_000;

/** Columns that the fleet can be sorted by. */
export const SORTS = ['state', 'name', 'seen', 'interval', 'version', 'key', 'slot', 'age', 'accepted'] as const;
export type Sort = (typeof SORTS)[number];

/** What the fleet can be narrowed to: a state, or the servers whose keys were refused of late. Worst first: what needs a person comes to the top. */
export const FILTERS = ['silent', 'late', 'refused', 'never', 'alive'] as const satisfies (ServerState | 'refused')[];
export type Filter = (typeof FILTERS)[number];

export const PAGE_SIZE = 100;

/** What a visitor asked of the fleet page; all of it stands in the address. */
export interface FleetQuery {
  search: string;
  state: Filter | undefined;
  sort: Sort;
  descending: boolean;
  /** From 1. */
  page: number;
}

export interface FleetLine extends FleetRow {
  state: ServerState;
  /** Since when it is in this state, ms. */
  since: number;
  /** When it was refused, where that is not long ago; ms. */
  refused: number | null;
}

export interface FleetView {
  query: FleetQuery;
  silentAfter: SilentAfter;
  total: number;
  counts: Record<Filter, number>;
  /** How many match the search and the state, on all pages. */
  found: number;
  pages: number;
  lines: FleetLine[];
}

/** Reads the query of an address; whatever is not understood is left out. */
export function parseFleetQuery(params: URLSearchParams): FleetQuery {
  const sort = SORTS.find((one) => one === params.get('sort')) ?? 'state';
  return {
    search: (params.get('q') ?? '').trim().slice(0, 200),
    state: FILTERS.find((one) => one === params.get('state')),
    sort,
    descending: params.get('dir') === 'desc',
    page: Math.max(1, Number.parseInt(params.get('page') ?? '1', 10) || 1),
  };
}

/** The address of a query, short: what is as usual is left out. */
export function fleetUrl(query: FleetQuery): string {
  const params = new URLSearchParams();
  if (query.search) params.set('q', query.search);
  if (query.state) params.set('state', query.state);
  if (query.sort !== 'state') params.set('sort', query.sort);
  if (query.descending) params.set('dir', 'desc');
  if (query.page > 1) params.set('page', String(query.page));
  const text = params.toString();
  return text ? `/?${text}` : '/';
}

/** One page of the fleet: counted, filtered, sorted. `now` in ms. */
export function viewFleet(rows: FleetRow[], query: FleetQuery, now: number, silentAfter = SILENT_AFTER): FleetView {
  const counts: Record<Filter, number> = { alive: 0, late: 0, silent: 0, never: 0, refused: 0 };
  const needle = query.search.toLocaleLowerCase('en');
  const found: FleetLine[] = [];
  for (const row of rows) {
    const state = stateOf(row.latest, now, silentAfter);
    const refused = refusedOf(row, now);
    counts[state]++;
    if (refused !== null) counts.refused++;
    if (query.state && (query.state === 'refused' ? refused === null : state !== query.state)) continue;
    if (needle && !matches(row, needle)) continue;
    found.push({ ...row, state, since: sinceOf(row, state), refused });
  }
  const order = ORDERS[query.sort];
  const sign = query.descending ? -1 : 1;
  found.sort((a, b) => sign * order(a, b) || byName(a, b));
  const pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
  const page = Math.min(query.page, pages);
  const lines = found.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
  return { query: { ...query, page }, silentAfter, total: rows.length, counts, found: found.length, pages, lines };
}

/** When a server was refused, where that is not long ago. */
export const refusedOf = ({ refusedAt }: Pick<FleetRow, 'refusedAt'>, now: number): number | null =>
  refusedAt !== null && now - refusedAt < REFUSED_MS ? refusedAt : null;

function matches({ server, latest, key }: FleetRow, needle: string): boolean {
  return [server.name, latest?.hostName, latest?.agentVersion, key?.fingerprint].some((text) =>
    text?.toLocaleLowerCase('en').includes(needle),
  );
}

const collator = new Intl.Collator('en', { numeric: true });
const byName = (a: FleetLine, b: FleetLine): number => collator.compare(a.server.name, b.server.name);

/** By how much it needs a person; of those that are missing, the one that was heard last comes first: it is the news. */
function byState(a: FleetLine, b: FleetLine): number {
  const rank = ({ state, refused }: FleetLine) =>
    FILTERS.indexOf(refused === null || state === 'silent' || state === 'late' ? state : 'refused');
  const missing = a.state === 'silent' || a.state === 'late';
  return rank(a) - rank(b) || (missing ? (b.latest?.received ?? 0) - (a.latest?.received ?? 0) : 0);
}

const ORDERS: Record<Sort, (a: FleetLine, b: FleetLine) => number> = {
  state: byState,
  name: byName,
  seen: (a, b) => (b.latest?.received ?? 0) - (a.latest?.received ?? 0),
  interval: (a, b) => (a.latest?.interval ?? 0) - (b.latest?.interval ?? 0),
  version: (a, b) => collator.compare(a.latest?.agentVersion ?? '', b.latest?.agentVersion ?? ''),
  key: (a, b) => (a.key?.fingerprint ?? '').localeCompare(b.key?.fingerprint ?? ''),
  slot: (a, b) => (a.key?.slot ?? '').localeCompare(b.key?.slot ?? ''),
  // The oldest first: that is the one to be replaced.
  age: (a, b) => (a.key?.createdAt ?? Number.MAX_SAFE_INTEGER) - (b.key?.createdAt ?? Number.MAX_SAFE_INTEGER),
  accepted: (a, b) => a.accepted - b.accepted,
};
