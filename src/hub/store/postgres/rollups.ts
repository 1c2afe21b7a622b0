import type { Rollup, Unrolled } from '../stream.ts';
import type { Fragment, Sql } from './client.ts';
import type { Database } from './database.ts';
import { packedFrames } from './frames.ts';

/** Rows dropped in one transaction. */
const STEP = 1_000;

/**
 * Takes stretches to be rolled up, in the caller's transaction. Servers are locked as those do who write heartbeats: what
 * is under way is there before a stretch is taken, and what comes later finds it taken.
 */
export async function unrolled(sql: Sql, before: number, most: number): Promise<Unrolled[]> {
  await sql`
    SELECT FROM servers WHERE number IN (SELECT server FROM unrolled WHERE since < ${before} ORDER BY since, server, time LIMIT ${most})
    ORDER BY number FOR NO KEY UPDATE`;
  const rows = await sql`
    SELECT u.server, u.time, s.id FROM unrolled AS u LEFT JOIN servers AS s ON s.number = u.server
    WHERE u.since < ${before} ORDER BY u.since, u.server, u.time LIMIT ${most}`;
  const of = (some: typeof rows | Record<string, unknown>[]) => ({
    servers: sql.types.int8s(some.map((row) => row.server as number)),
    times: sql.types.int8s(some.map((row) => row.time as number)),
  });
  const [there, gone] = [of(rows.filter((row) => row.id !== null)), of(rows.filter((row) => row.id === null))];
  await sql`
    UPDATE unrolled AS u SET taken = true FROM unnest(${there.servers}::bigint[], ${there.times}::bigint[]) AS w (server, time)
    WHERE u.server = w.server AND u.time = w.time AND NOT u.taken`;
  // Nobody will put those of a removed server.
  await sql`
    DELETE FROM unrolled AS u USING unnest(${gone.servers}::bigint[], ${gone.times}::bigint[]) AS w (server, time)
    WHERE u.server = w.server AND u.time = w.time`;
  return rows.flatMap(({ id, time }) => (id === null ? [] : [{ serverId: id, time }]));
}

/** Stores roll-ups, in the caller's transaction. */
export async function putRollups(sql: Sql, done: (Unrolled & { frame: Uint8Array | null })[]): Promise<void> {
  const { int8s, texts } = sql.types;
  const rows = await sql`
    SELECT id, number FROM servers WHERE id = ANY(${texts([...new Set(done.map((one) => one.serverId))])}) ORDER BY number FOR KEY SHARE`;
  const numberOf = new Map(rows.map(({ id, number }) => [id as string, number as number]));
  // Of several of one stretch the last one stands.
  const last = new Map(done.filter(({ serverId }) => numberOf.has(serverId)).map((one) => [`${one.serverId} ${one.time}`, one]));
  const all = [...last.values()].map((one) => ({ ...one, server: numberOf.get(one.serverId) as number }));
  const made = all.flatMap(({ frame, ...one }) => (frame ? [{ ...one, frame }] : []));
  const columns = (some: { server: number; time: number }[]) =>
    sql`unnest(${int8s(some.map((one) => one.server))}::bigint[], ${int8s(some.map((one) => one.time))}::bigint[]) AS w (server, time)`;
  await sql`DELETE FROM unrolled AS u USING ${columns(all)} WHERE u.server = w.server AND u.time = w.time AND u.taken`;
  if (made.length === 0) return;
  const [old] = await sql`
    WITH dropped AS (
      DELETE FROM rollups AS r USING ${columns(made)} WHERE r.server = w.server AND r.time = w.time RETURNING octet_length(r.frame) AS bytes
    ) SELECT coalesce(sum(bytes), 0)::int8 AS bytes FROM dropped`;
  const packed = packedFrames(made.map((one) => one.frame));
  await sql`
    INSERT INTO rollups (server, time, frame)
    SELECT w.server, w.time, substring(${packed.bytes}::bytea FROM (w.stop - w.length + 1)::integer FOR w.length::integer)
    FROM unnest(${int8s(made.map((one) => one.server))}::bigint[], ${int8s(made.map((one) => one.time))}::bigint[],
      ${int8s(packed.stops)}::bigint[], ${int8s(packed.lengths)}::bigint[]) AS w (server, time, stop, length)`;
  await count(sql, packed.bytes.length - old?.bytes);
}

/** Roll-ups of stretches that begin in [from, to), oldest first. */
export async function rollups(sql: Sql, serverId: string, from: number, to: number): Promise<Rollup[]> {
  const rows = await sql`
    SELECT time, frame FROM rollups WHERE server = (SELECT number FROM servers WHERE id = ${serverId}) AND time >= ${from} AND time < ${to}
    ORDER BY time`;
  return rows.map(({ time, frame }) => ({ time, frame: new Uint8Array(frame) }));
}

/** Drops the old ones in steps, then the oldest while their frames take more than `mostBytes`; how many. */
export async function pruneRollups(database: Database, before: number, mostBytes: number): Promise<number> {
  await database.run((sql) => sql`DELETE FROM unrolled WHERE since < ${before}`);
  const old = await inSteps(database, (sql) => drop(sql, sql`time < ${before}`));
  const excess = await inSteps(database, async (sql) => {
    const [row] = await sql`SELECT value::bigint AS bytes FROM meta WHERE name = 'rollup_bytes'`;
    return row?.bytes > mostBytes ? drop(sql, sql`true`) : 0;
  });
  return old + excess;
}

/** Drops all of a server (by its number) in steps. */
export async function forgetRollups(database: Database, server: number): Promise<void> {
  await inSteps(database, (sql) => drop(sql, sql`server = ${server}`));
}

async function inSteps(database: Database, step: (sql: Sql) => Promise<number>): Promise<number> {
  for (let total = 0; ; ) {
    const dropped = await database.transaction(step);
    total += dropped;
    if (dropped < STEP) return total;
  }
}

async function drop(sql: Sql, which: Fragment): Promise<number> {
  const [row] = await sql`
    WITH dropped AS (
      DELETE FROM rollups AS r USING (SELECT server, time FROM rollups WHERE ${which} ORDER BY time LIMIT ${STEP}) AS d
      WHERE r.server = d.server AND r.time = d.time RETURNING octet_length(frame) AS bytes
    ) SELECT count(*)::int8 AS count, coalesce(sum(bytes), 0)::int8 AS bytes FROM dropped`;
  await count(sql, -row?.bytes);
  return row?.count;
}

/** Keeps the sum of the frames' bytes; last in its transaction, for everybody who changes roll-ups waits for that row. */
async function count(sql: Sql, bytes: number): Promise<void> {
  if (bytes !== 0) await sql`UPDATE meta SET value = (value::bigint + ${bytes}::bigint)::text WHERE name = 'rollup_bytes'`;
}
