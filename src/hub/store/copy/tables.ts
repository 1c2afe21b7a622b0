/*
 * What a copy takes over: every table of both schemas with all its columns, in an order in which each refers to those
 * before it. A test holds this list to the schemas themselves.
 */

/** How a value is handed from one side to the other: as text, number, boolean or bytes of JavaScript; any may be null. */
export type Kind = 'text' | 'int' | 'float' | 'bool' | 'bytes';
export type Cell = string | number | boolean | Uint8Array | null;
/** The cells of one row, in the order of its table's columns. */
export type CopiedRow = Cell[];

export interface CopiedTable {
  name: string;
  /** By name, in the order in which rows have them. */
  columns: Record<string, Kind>;
  /** Columns that rows are read in the order of. */
  order: string[];
  /** Which rows, as SQL that both sides read; all of them unless given. */
  only?: string;
}

/** Without the sums and marks that each side keeps of its own rows. */
export const COPIED_META = "name NOT IN ('rollup_bytes', 'window_from')";

export const COPIED: readonly CopiedTable[] = [
  table('meta', { name: 'text', value: 'text' }, ['name'], COPIED_META),
  table('organisations', { id: 'text', name: 'text', created_at: 'int' }, ['id']),
  table(
    'servers',
    {
      number: 'int',
      id: 'text',
      org: 'text',
      name: 'text',
      policy: 'text',
      grace_ms: 'int',
      created_at: 'int',
      brought_by: 'text',
    },
    ['number'],
  ),
  table(
    'keys',
    {
      id: 'text',
      server: 'int',
      name: 'text',
      hash: 'text',
      slot: 'text',
      enabled: 'bool',
      created_at: 'int',
      valid_until: 'int',
      last_used: 'int',
    },
    ['id'],
  ),
  table('ended_keys', { hash: 'text', server: 'int', ended_at: 'int', how: 'text' }, ['hash']),
  table('mints', { id: 'text', server: 'int', sealed: 'bytes', until: 'int' }, ['id']),
  table(
    'credentials',
    {
      id: 'text',
      org: 'text',
      name: 'text',
      role: 'text',
      scopes: 'text',
      kid: 'text',
      public_key: 'text',
      enabled: 'bool',
      created_at: 'int',
      expires_at: 'int',
      last_used: 'int',
    },
    ['id'],
  ),
  table(
    'tokens',
    {
      hash: 'text',
      org: 'text',
      server_name: 'text',
      policy: 'text',
      grace_ms: 'int',
      created_at: 'int',
      expires_at: 'int',
      used_at: 'int',
      used_for: 'text',
    },
    ['hash'],
  ),
  table('users', { id: 'text', org: 'text', name: 'text', role: 'text', password_hash: 'text' }, ['id']),
  table('sessions', { hash: 'text', user: 'text', created_at: 'int', last_seen: 'int' }, ['hash']),
  table('audit', { org: 'text', seq: 'int', line: 'text' }, ['org', 'seq']),
  table(
    'instances',
    {
      number: 'int',
      server: 'int',
      id: 'text',
      first_sequence: 'int',
      last_sequence: 'int',
      accepted: 'int',
      duplicates: 'int',
      seen_at: 'int',
    },
    ['number'],
  ),
  table('gaps', { instance: 'int', low: 'int', high: 'int' }, ['instance', 'low']),
  table(
    'latest',
    {
      server: 'int',
      time: 'int',
      received: 'int',
      interval: 'float',
      agent_version: 'text',
      host_name: 'text',
      key_hash: 'text',
      key_slot: 'text',
      alive_since: 'int',
    },
    ['server'],
  ),
  table('inventories', { server: 'int', body: 'text' }, ['server']),
  table('refusals', { server: 'int', status: 'int', count: 'int', last_at: 'int' }, ['server', 'status']),
  table('heartbeats', { number: 'int', server: 'int', time: 'int', received: 'int', frame: 'bytes' }, ['number']),
  table('cursors', { name: 'text', place: 'int', lost: 'int' }, ['name']),
  // After the heartbeats: in SQLite each of these notes its stretch by itself.
  table('unrolled', { server: 'int', time: 'int', since: 'int', taken: 'bool' }, ['server', 'time']),
  table('rollups', { server: 'int', time: 'int', frame: 'bytes' }, ['server', 'time']),
  table('told', { server: 'int', state: 'text', at: 'int' }, ['server']),
  table('notices', { id: 'text', body: 'text', created_at: 'int', tries: 'int', next_at: 'int' }, ['id']),
];

/** Tables that stay behind, and why. */
export const LEFT: Readonly<Record<string, string>> = {
  leases: 'which process does which duty: all of them have ended',
  segments: 'how PostgreSQL lays out the window: made anew',
  migrations: "the version of PostgreSQL's schema: each side has its own",
};

/** Tables whose numbers are given once for ever, also those of rows that are gone: their counters are taken over. */
export const NUMBERED = ['servers', 'instances', 'heartbeats'] as const;
/** The number last given, by table. */
export type Numbers = Record<(typeof NUMBERED)[number], number>;

/** Names as SQL that both sides read: some of them are words of its language. */
export const columnsOf = (table: CopiedTable): string => names(Object.keys(table.columns));
export const names = (all: string[]): string => all.map((name) => `"${name}"`).join(', ');

function table(name: string, columns: Record<string, Kind>, order: string[], only?: string): CopiedTable {
  return { name, columns, order, ...(only !== undefined && { only }) };
}
