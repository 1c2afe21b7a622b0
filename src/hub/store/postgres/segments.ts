import type { Sql } from './client.ts';

/** What is known of a part of the window. */
export interface Segment {
  number: number;
  /** Bytes that it takes, without those of rows that were deleted. */
  bytes: number;
}

/** The table of a segment. */
export const tableOf = (segment: number): string => `heartbeats_${segment}`;

/** Begins a segment: what comes in from now on goes there. Belongs into the caller's transaction. */
export async function beginSegment(sql: Sql): Promise<void> {
  const [row] = await sql`INSERT INTO segments DEFAULT VALUES RETURNING number`;
  const number = row?.number as number;
  const table = tableOf(number);
  // Attached, not created as a partition: that would shut everybody out of the whole window for a moment. Rows of some
  // kilobytes stay whole, since each is read whole.
  await sql.unsafe(`
    CREATE TABLE ${table} (LIKE heartbeats INCLUDING DEFAULTS INCLUDING STORAGE) WITH (toast_tuple_target = 8160);
    ALTER TABLE ${table} ADD CHECK (segment = ${number});
    ALTER TABLE heartbeats ATTACH PARTITION ${table} FOR VALUES IN (${number})`);
}

/** Every segment, the oldest first; the last one is written to. */
export async function segments(sql: Sql): Promise<Segment[]> {
  const rows = await sql`
    SELECT number, greatest(pg_total_relation_size(('heartbeats_' || number)::regclass) - freed, 0)::int8 AS bytes
    FROM segments ORDER BY number`;
  return rows.map(({ number, bytes }) => ({ number, bytes }));
}

/** Somebody reads, or writes, where one who drops must be alone. */
export class Occupied extends Error {}

/**
 * Waits a moment until nobody uses a segment, and keeps everybody out of the window until the transaction is over. Who
 * reads for long must not hold up all who write: then it throws Occupied, and the transaction cannot go on.
 */
export async function useAlone(sql: Sql, number: number): Promise<void> {
  try {
    // The whole before its part, in the order of those who write.
    await sql.unsafe(`
      SET LOCAL lock_timeout = 500;
      LOCK TABLE ONLY heartbeats, ONLY ${tableOf(number)} IN ACCESS EXCLUSIVE MODE;
      SET LOCAL lock_timeout = DEFAULT`);
  } catch (error) {
    if ((error as { code?: string }).code === '55P03') throw new Occupied('a segment is in use');
    throw error;
  }
}

/** Drops a segment with all that is in it. Belongs into the transaction that uses it alone. */
export async function dropSegment(sql: Sql, number: number): Promise<void> {
  await sql.unsafe(`DROP TABLE ${tableOf(number)}`);
  await sql`DELETE FROM segments WHERE number = ${number}`;
}
