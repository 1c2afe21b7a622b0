import { randomUUID } from 'node:crypto';
import { ScoutError } from '../../../support/errors.ts';
import type { Sql } from './client.ts';
import type { Database } from './database.ts';
import { FIRST, STREAM } from './schema.ts';
import { beginSegment } from './segments.ts';

type Migration = (sql: Sql) => Promise<void>;

/** From version n to n + 1; forward only, and never edited once released. */
const MIGRATIONS: Migration[] = [first, unknownRefusals];

/** Building an index over a large window takes its time, ms. */
const MIGRATION_MS = 3_600_000;

/**
 * Makes the schema where there is none, and brings it to the version this program knows; of several processes that start
 * at once, one does it. Throws HUB_DATA_NEWER.
 */
export async function migrate(database: Database): Promise<void> {
  const { schema } = database.address;
  const version = await database.run(async (sql) => {
    const [there] = await sql`SELECT to_regclass(${`${schema}.migrations`}) IS NOT NULL AS there`;
    return there?.there ? versionOf(sql) : 0;
  });
  if (version === MIGRATIONS.length) return;
  await database.transaction(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`scout-hub migrations ${schema}`}, 0))`;
    // With the schema there already, leave to use it is enough.
    const [found] = await sql`SELECT FROM pg_namespace WHERE nspname = ${schema}`;
    if (!found) await sql.unsafe(`CREATE SCHEMA ${schema}`);
    await sql.unsafe('CREATE TABLE IF NOT EXISTS migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())');
    const version = await versionOf(sql);
    if (version > MIGRATIONS.length) throw new ScoutError('HUB_DATA_NEWER', { found: version, known: MIGRATIONS.length });
    for (const [index, step] of MIGRATIONS.entries()) {
      if (index < version) continue;
      await step(sql);
      await sql`INSERT INTO migrations (version) VALUES (${index + 1})`;
    }
  }, MIGRATION_MS);
}

async function versionOf(sql: Sql): Promise<number> {
  const [row] = await sql`SELECT coalesce(max(version), 0)::int8 AS version FROM migrations`;
  return row?.version as number;
}

async function first(sql: Sql): Promise<void> {
  await sql.unsafe(FIRST);
  await sql.unsafe(STREAM);
  await beginSegment(sql);
  await sql`INSERT INTO meta (name, value) VALUES ('service_id', ${randomUUID()})`;
}

/** What is copied from SQLite may have refusals of a time when it was not noted when the last of them was. */
async function unknownRefusals(sql: Sql): Promise<void> {
  await sql.unsafe('ALTER TABLE refusals ALTER COLUMN last_at DROP NOT NULL');
}
