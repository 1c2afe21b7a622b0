import { DatabaseSync } from 'node:sqlite';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COPIED, LEFT } from '../../../../src/hub/store/copy/tables.ts';
import { PostgresStore } from '../../../../src/hub/store/postgres-store.ts';
import { migrate } from '../../../../src/hub/store/sqlite/migrations.ts';
import { Postgres } from '../../../helpers/postgres.ts';

/* Whoever adds a table or a column to a schema is told here that a copy must take it over. */

let server: Postgres;
beforeAll(async () => {
  server = await Postgres.start();
});
afterAll(() => server.remove());

/** Columns by table, each with its kind. */
type Schema = Record<string, Record<string, string>>;

const listed = (kindOf: (kind: string) => string): Schema =>
  Object.fromEntries(
    COPIED.map(({ name, columns }) => [name, Object.fromEntries(Object.entries(columns).map(([column, kind]) => [column, kindOf(kind)]))]),
  );

function without(schema: Schema, table: string, column: string): Schema {
  const { [column]: _, ...rest } = schema[table] as Record<string, string>;
  return { ...schema, [table]: rest };
}

describe('what is copied', () => {
  it("is every table and column of SQLite's schema", () => {
    const database = new DatabaseSync(':memory:');
    migrate(database);
    const found: Schema = {};
    const names = database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`).all();
    for (const { name } of names) {
      if (String(name) in LEFT) continue;
      const columns = database.prepare('SELECT name, type FROM pragma_table_info(?)').all(String(name));
      found[String(name)] = Object.fromEntries(columns.map((column) => [column.name, column.type]));
    }
    database.close();
    const types: Record<string, string> = { text: 'TEXT', int: 'INTEGER', bool: 'INTEGER', float: 'REAL', bytes: 'BLOB' };
    // Nothing refers to the number of a roll-up.
    expect(without(found, 'rollups', 'number')).toEqual(listed((kind) => types[kind] as string));
  });

  it("is every table and column of PostgreSQL's schema", async () => {
    const schema = server.freshSchema();
    await (await PostgresStore.open(server.url(schema))).close();
    const sql = postgres(server.url().replace(/\?.*/, ''), { max: 1 });
    const rows = await sql`
      SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type
      FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
      WHERE c.relnamespace = ${schema}::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped`;
    await sql.end();
    const kinds: Record<string, string> = {
      text: 'text',
      bigint: 'int',
      integer: 'int',
      boolean: 'bool',
      'double precision': 'float',
      bytea: 'bytes',
    };
    const found: Schema = {};
    for (const { table, column, type } of rows) if (!(table in LEFT)) found[table] = { ...found[table], [column]: kinds[type] as string };
    // A segment is part of how the window is laid out.
    expect(without(found, 'heartbeats', 'segment')).toEqual(listed(String));
  });
});
