import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import fc from 'fast-check';
import { COPIED, type CopiedTable } from '../../../../src/hub/store/copy/tables.ts';
import { migrate } from '../../../../src/hub/store/sqlite/migrations.ts';
import { link } from '../../../../src/support/chain.ts';

type Row = Record<string, SQLInputValue>;

/** Text with whatever means something to one of the databases; a NUL is kept by one of them only. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', 'NULL', '"', '\\', '\\x00', '{a,"b"}', "'", 'a\tb\r\n\\N', '€', '😀'),
);
const int = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER));
const cells = fc.record({
  which: fc.nat(),
  one: text,
  other: text,
  maybe: fc.option(text),
  low: int,
  high: int,
  perhaps: fc.option(int),
  real: fc.double({ noNaN: true, noDefaultInfinity: true }),
  flag: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 300 }),
});
type Cells = typeof cells extends fc.Arbitrary<infer T> ? T : never;

/** Whatever a hub may keep: what each row of each table holds, and how many of them there are. */
export const content = fc.record({
  organisations: fc.integer({ min: 1, max: 3 }),
  servers: fc.integer({ min: 0, max: 4 }),
  rows: fc.array(cells, { maxLength: 8 }),
});
export type Content = typeof content extends fc.Arbitrary<infer T> ? T : never;

const ORGS = ['default', 'b', 'ü'];
const POLICIES = ['immediate', 'grace', 'multi'];
const of = <T>(all: T[], which: number): T => all[which % all.length] as T;

/** The rows of each table, whole and in an order in which they can be added. */
function rowsOf({ organisations, servers, rows }: Content): Record<string, Row[]> {
  const orgs = ORGS.slice(0, organisations);
  // Number 1 was given, and is gone.
  const numbers = Array.from({ length: servers }, (_, index) => index + 2);
  const each = (make: (row: Cells, index: number) => Row): Row[] => rows.map(make);
  const eachServer = (make: (row: Cells, index: number, server: number) => Row): Row[] =>
    numbers.length === 0 ? [] : rows.map((row, index) => make(row, index, of(numbers, row.which)));
  const oncePerServer = (make: (row: Cells, server: number) => Row): Row[] =>
    rows.slice(0, numbers.length).map((row, index) => make(row, numbers[index] as number));
  const created = (row: Cells) => ({ created_at: row.low });
  return {
    organisations: orgs.slice(1).map((id, index) => ({ id, name: `${id} "`, created_at: index })),
    servers: numbers.map((number) => ({
      number,
      id: `s${number}`,
      org: of(orgs, number),
      name: `${rows[0]?.one ?? ''}${number}`,
      policy: of(POLICIES, number),
      grace_ms: number,
      created_at: number,
      brought_by: rows[0]?.maybe ?? null,
    })),
    keys: eachServer((row, index, server) => ({
      id: `k${index}`,
      server,
      name: row.maybe,
      hash: `h${index}`,
      slot: of(['current', 'previous', 'next'], row.which),
      enabled: row.flag ? 1 : 0,
      ...created(row),
      valid_until: row.perhaps,
      last_used: row.perhaps,
    })),
    ended_keys: each((row, index) => ({
      hash: `e${index}`,
      server: 1,
      ended_at: row.low,
      how: of(['replaced', 'retired', 'deleted', 'removed'], row.which),
    })),
    mints: eachServer((row, index, server) => ({ id: `m${index}`, server, sealed: row.bytes, until: row.high })),
    credentials: each((row, index) => ({
      id: `c${index}`,
      org: of(orgs, row.which),
      name: `${row.one}${index}`,
      role: of(['admin', 'member'], row.which),
      scopes: row.other,
      kid: `kid${index}`,
      public_key: row.maybe,
      enabled: row.flag ? 1 : 0,
      ...created(row),
      expires_at: row.perhaps,
      last_used: row.perhaps,
    })),
    tokens: each((row, index) => ({
      hash: `t${index}`,
      org: of(orgs, row.which),
      server_name: row.one,
      policy: of(POLICIES, row.which),
      grace_ms: row.low,
      ...created(row),
      expires_at: row.high,
      used_at: row.perhaps,
      used_for: row.maybe,
    })),
    users: each((row, index) => ({
      id: `u${index}`,
      org: of(orgs, row.which),
      name: `${row.one}${index}`,
      role: of(['admin', 'member'], row.which),
      password_hash: row.other,
    })),
    sessions: each((row, index) => ({ hash: `z${index}`, user: `u${index}`, ...created(row), last_seen: row.high })),
    audit: [...orgs, 'an organisation that is gone'].flatMap((org) => trailOf(org, rows)),
    instances: eachServer((row, index, server) => ({
      number: index + 3,
      server,
      id: `${row.one}${index}`,
      first_sequence: row.low,
      last_sequence: row.high,
      accepted: row.low,
      duplicates: row.high,
      seen_at: row.low,
    })),
    gaps: eachServer((row, index) => ({ instance: index + 3, low: row.low, high: row.high })),
    latest: oncePerServer((row, server) => ({
      server,
      time: row.low,
      received: row.high,
      interval: row.real,
      agent_version: row.one,
      host_name: row.other,
      key_hash: row.one,
      key_slot: row.other,
      alive_since: row.low,
    })),
    inventories: oncePerServer((row, server) => ({ server, body: row.one })),
    refusals: each((row, index) => ({ server: of([0, ...numbers], row.which), status: 400 + index, count: row.low, last_at: row.perhaps })),
    heartbeats: each((row, index) => ({
      number: index * 3 + 1,
      server: of([1, ...numbers], row.which),
      time: row.low,
      received: row.high,
      frame: row.bytes,
    })),
    cursors: each((row, index) => ({ name: `${row.one}${index}`, place: row.low, lost: row.high })),
    unrolled: each((row, index) => ({ server: index, time: row.low, since: row.high, taken: row.flag ? 1 : 0 })),
    rollups: each((row, index) => ({ server: index, time: row.low, frame: row.bytes })),
    told: oncePerServer((row, server) => ({ server, state: of(['alive', 'late', 'silent'], row.which), at: row.low })),
    notices: each((row, index) => ({ id: `n${index}`, body: row.one, ...created(row), tries: row.which % 100, next_at: row.high })),
  };
}

function trailOf(org: string, rows: Cells[]): Row[] {
  let before: ReturnType<typeof link> | null = null;
  return rows.map(({ one, other, low }) => {
    before = link({ at: low, actor: one, action: other, subject: one, detail: { [other]: one }, address: null }, before);
    return { org, seq: before.seq, line: JSON.stringify(before) };
  });
}

/** Makes a database of it, in a file that is not there yet. */
export function make(path: string, what: Content): void {
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: true });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
  migrate(database);
  database.exec('BEGIN');
  database.exec(
    `INSERT INTO servers (id, org, name, policy, grace_ms, created_at) VALUES ('gone', 'default', '', 'grace', 1, 1); DELETE FROM servers`,
  );
  for (const [table, rows] of Object.entries(rowsOf(what))) {
    if (table === 'unrolled') database.exec('DELETE FROM unrolled');
    for (const row of rows) {
      const names = Object.keys(row);
      const marks = names.map(() => '?').join(', ');
      database
        .prepare(`INSERT INTO ${table} (${names.map((name) => `"${name}"`).join(', ')}) VALUES (${marks})`)
        .run(...Object.values(row));
    }
  }
  // The last heartbeat is gone, and its number with it.
  database.exec(`UPDATE sqlite_sequence SET seq = seq + 5 WHERE name = 'heartbeats'; COMMIT`);
  database.close();
}

/** All that a database holds, and its form, as text that can be compared. */
export function dump(path: string): Record<string, unknown> {
  const database = new DatabaseSync(path, { readOnly: true });
  const all = (sql: string) =>
    database
      .prepare(sql)
      .all()
      .map((row) => Object.values(row).map(plain));
  const found = Object.fromEntries(COPIED.map(({ name, columns, order }) => [name, all(selectOf(name, columns, order))]));
  const more = {
    form: all('SELECT name, sql FROM sqlite_schema ORDER BY name'),
    version: all('PRAGMA user_version'),
    given: all('SELECT name, max(seq, 0) FROM sqlite_sequence ORDER BY name'),
  };
  database.close();
  return { ...found, ...more };
}

/** What PostgreSQL answers of the rows of a table, as `dump` has them; its driver brings large numbers as text. */
export const plainRows = ({ columns }: CopiedTable, rows: Record<string, unknown>[]): string[][] =>
  rows.map((row) =>
    Object.entries(columns).map(([name, kind]) => plain(kind === 'int' && row[name] !== null ? Number(row[name]) : row[name])),
  );

export const selectOf = (table: string, columns: object, order: string[]): string =>
  `SELECT ${[...Object.keys(columns)].map((name) => `"${name}"`).join(', ')} FROM ${table} ORDER BY ${order.map((name) => `"${name}"`).join(', ')}`;

/** A value of either database as text. */
function plain(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'boolean') return String(Number(value));
  return typeof value === 'number' ? String(value) : `${value === null ? 'NULL' : ':'}${value}`;
}
