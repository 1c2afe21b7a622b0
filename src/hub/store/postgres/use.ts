import type { Sql } from './client.ts';

/*
 * Every connection of a hub, or of a command, shares one lock on its schema for as long as it lasts. Who must be alone
 * (store/copy) takes it for himself: then he knows that there is none, and that none will come.
 */

/** Whether the connection may use a schema: false while another process is alone with it. Holds until the connection ends. */
export async function enterUse(sql: Sql, schema: string): Promise<boolean> {
  const [row] = await sql`SELECT pg_try_advisory_lock_shared(hashtextextended(${lockOf(schema)}, 0)) AS free`;
  return row?.free;
}

/** Whether no other connection uses a schema, nor can until the caller's transaction is over. */
export async function useAlone(sql: Sql, schema: string): Promise<boolean> {
  const [row] = await sql`SELECT pg_try_advisory_xact_lock(hashtextextended(${lockOf(schema)}, 0)) AS alone`;
  return row?.alone;
}

const lockOf = (schema: string): string => `scout-hub use ${schema}`;
