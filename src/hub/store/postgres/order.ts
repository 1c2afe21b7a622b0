import type { Sql } from './client.ts';
import type { Database } from './database.ts';

/*
 * Heartbeats are numbered as they are inserted, and transactions end in another order: a reader that went on behind
 * the highest number it sees would pass over those of a transaction that is still under way. Who inserts therefore holds a
 * lock that any number may share; who reads takes it alone for a moment, and so knows that below the number last given
 * nothing more will come.
 */

/** Enters the order. Belongs into the transaction that inserts, before it does. */
export async function enterOrder(sql: Sql): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock_shared(hashtextextended('scout-hub order ' || current_schema(), 0))`;
}

/** The number below which, itself included, the order is complete. */
export async function horizon(database: Database): Promise<number> {
  return database.transaction(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended('scout-hub order ' || current_schema(), 0))`;
    const [row] = await sql`SELECT CASE WHEN is_called THEN last_value ELSE 0 END::int8 AS last FROM heartbeat_numbers`;
    return row?.last as number;
  });
}
