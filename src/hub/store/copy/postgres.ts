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
  const isThere = async (base: Database, name: string) => {
    const [row] = await base.run((sql) => sql`SELECT to_regclass(${`${base.address.schema}.migrations`}) IS NOT NULL AS there`);
    if (!row?.there) throw new ScoutError('HUB_COPY_NONE', { place: name });
  };
  const place = { url: database as string, patienceMs, before: isThere };
  return alone(place, (sql, name) => new PostgresSource(sql, name), work);
}

/**
 * Runs `work` with a hub's schema in PostgreSQL, made where there is none, in one transaction. Throws
 * HUB_COPY_NOT_EMPTY, HUB_COPY_BUSY, HUB_DATABASE, HUB_DATABASE_ADDRESS, HUB_DATA_NEWER.
 */
export function asTarget<T>({ database }: Place, { patienceMs, segmentBytes }: Manner, work: (target: Target) => Promise<T>): Promise<T> {
  const fill = async (target: PostgresTarget) => {
    const taken = await target.taken();
    if (taken !== undefined) throw new ScoutError('HUB_COPY_NOT_EMPTY', { place: target.name, detail: `its table ${taken} has rows` });
    await target.begin();
    return work(target);
  };
  return alone({ url: database as string, patienceMs }, (sql, name) => new PostgresTarget(sql, name, segmentBytes), fill);
}

/** Runs `work` in one transaction with one side, which nobody else uses; `before` comes before its schema is made. */
async function alone<Side extends PostgresSource, T>(
  { url, patienceMs, before }: { url: string; patienceMs: number; before?: (base: Database, name: string) => Promise<void> },
  sideOf: (sql: Sql, name: string) => Side,
  work: (side: Side) => Promise<T>,
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
      const side = sideOf(sql, name);
      return await work(side).catch((error) => Promise.reject(side.untold(error)));
    }, COPY_MS);
  } finally {
    await base.close();
  }
}

const nameOf = ({ name, schema }: Address): string => `${name} (schema ${schema})`;
