import { setTimeout as pause } from 'node:timers/promises';
import { ScoutError } from '../../../support/errors.ts';
import type { Place } from '../open.ts';
import { type Address, addressOf } from '../postgres/address.ts';
import type { Sql } from '../postgres/client.ts';
import { Database } from '../postgres/database.ts';
import { migrate } from '../postgres/migrations.ts';
import { useAlone } from '../postgres/use.ts';
import { PostgresSource, PostgresTarget } from './postgres-side.ts';
import type { Manner, Source, Target } from './side.ts';

/** How long all of it may take, ms. */
const COPY_MS = 7 * 86_400_000;
/** How often it is asked whether the others are gone, ms. */
const ASK_MS = 50;

/**
 * Runs `work` with a hub's schema in PostgreSQL; nobody else uses it meanwhile. Throws HUB_COPY_NONE, HUB_COPY_BUSY,
 * HUB_DATABASE, HUB_DATABASE_ADDRESS, HUB_DATA_NEWER.
 */
export function asSource<T>({ database }: Place, { patienceMs }: Manner, work: (source: Source) => Promise<T>): Promise<T> {
  return alone(
    { url: database as string, patienceMs },
    async (sql, name) => work(new PostgresSource(sql, name)),
    async (base, name) => {
      const [row] = await base.run((sql) => sql`SELECT to_regclass(${`${base.address.schema}.migrations`}) IS NOT NULL AS there`);
      if (!row?.there) throw new ScoutError('HUB_COPY_NONE', { place: name });
    },
  );
}

/**
 * Runs `work` with a hub's schema in PostgreSQL, made where there is none, in one transaction. Throws
 * HUB_COPY_NOT_EMPTY, HUB_COPY_BUSY, HUB_DATABASE, HUB_DATABASE_ADDRESS, HUB_DATA_NEWER.
 */
export function asTarget<T>({ database }: Place, { patienceMs, segmentBytes }: Manner, work: (target: Target) => Promise<T>): Promise<T> {
  return alone({ url: database as string, patienceMs }, async (sql, name) => {
    const target = new PostgresTarget(sql, name, segmentBytes);
    const taken = await target.taken();
    if (taken !== undefined) throw new ScoutError('HUB_COPY_NOT_EMPTY', { place: name, detail: `its table ${taken} has rows` });
    await target.begin();
    return work(target);
  });
}

/** Runs `work` in one transaction on a schema that nobody else uses; `before` comes before the schema is made. */
async function alone<T>(
  { url, patienceMs }: { url: string; patienceMs: number },
  work: (sql: Sql, name: string) => Promise<T>,
  before?: (base: Database, name: string) => Promise<void>,
): Promise<T> {
  const base = new Database(addressOf(url));
  const { schema } = base.address;
  const name = nameOf(base.address);
  try {
    await before?.(base, name);
    await migrate(base);
    return await base.transaction(async (sql) => {
      // The other side may take its time, at its end above all.
      await sql.unsafe('SET LOCAL idle_in_transaction_session_timeout = 0');
      const until = performance.now() + patienceMs;
      while (!(await useAlone(sql, schema))) {
        if (performance.now() > until) throw new ScoutError('HUB_COPY_BUSY', { place: name });
        await pause(ASK_MS);
      }
      return work(sql, name);
    }, COPY_MS);
  } finally {
    await base.close();
  }
}

const nameOf = ({ name, schema }: Address): string => `${name} (schema ${schema})`;
