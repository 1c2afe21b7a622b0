import { ENDED_KEPT_MS, INSTANCE_KEPT_MS } from '../store.ts';
import type { Fragment, Sql } from './client.ts';
import type { Database } from './database.ts';
import { beginSegment, dropSegment, Occupied, segments, tableOf, useAlone } from './segments.ts';
import { size } from './servers.ts';

/** Rows dropped in one transaction. */
const STEP = 1_000;
/** So much of the window is passed over in one transaction, ms. */
const PASS_MS = 3_600_000;
const FORGET_EVERY_MS = 3_600_000;
const SESSION_UNSEEN_MS = 7 * 86_400_000;
/** How long one who comes with a token that has ended is told so. */
const TOKEN_TOLD_MS = 7 * 86_400_000;
/** A segment ends when it has this share of what the store may take, within these bounds, bytes, or of the window's time. */
const SHARE_OF_BYTES = 1 / 32;
const [SEGMENT_LEAST, SEGMENT_MOST] = [8 * 1_048_576, 1_024 * 1_048_576];
const SHARE_OF_TIME = 1 / 24;
/** A segment of up to this share is dropped whole to make room; a larger one loses its oldest rows. */
const SHARE_DROPPED = 1 / 16;
/**
 * What is asked of a single segment is not prepared: a connection would keep a statement for each segment there ever was.
 */
const WINDOW_FROM = `(SELECT value::bigint FROM meta WHERE name = 'window_from')`;
/** How long one step may take, ms. */
const STEP_MS = 60_000;

/** Frames sampled in [from, to), oldest first. */
export async function recent(sql: Sql, serverId: string, from: number, to: number): Promise<{ time: number; frame: Uint8Array }[]> {
  const rows = await sql`
    SELECT time, frame FROM heartbeats
    WHERE server = (SELECT number FROM servers WHERE id = ${serverId}) AND time >= ${from} AND time < ${to}
      AND received >= (SELECT value::bigint FROM meta WHERE name = 'window_from')
    ORDER BY time, number`;
  return rows.map(({ time, frame }) => ({ time, frame: new Uint8Array(frame) }));
}

/** Drops all heartbeats of a server (by its number) in steps. */
export async function forget(database: Database, server: number): Promise<void> {
  const step = () =>
    database.run(
      (sql) => sql`
        DELETE FROM heartbeats AS h USING (SELECT segment, number FROM heartbeats WHERE server = ${server} LIMIT ${STEP}) AS d
        WHERE h.segment = d.segment AND h.number = d.number AND h.server = ${server}`,
    );
  while ((await step()).count === STEP);
}

/**
 * Moves the beginning of the window, drops what is wholly before it, and then the oldest until the store takes no more
 * than `mostBytes`. Of several processes one does it at a time; the others come away with nothing done.
 */
export async function prune(database: Database, before: number, mostBytes: number): Promise<{ old: number; excess: number }> {
  let old = 0;
  for (let behind = true; behind; ) {
    const passed = await alone(database, (sql) => passOver(sql, before));
    if (!passed) return { old, excess: 0 };
    old += passed.count;
    behind = passed.to < before;
  }
  await alone(database, (sql) => tidy(sql, before, mostBytes));
  while ((await alone(database, dropPassed)) === true);
  let excess = 0;
  for (;;) {
    const dropped = await alone(database, (sql) => makeRoom(sql, mostBytes));
    if (dropped === undefined || dropped === null) return { old, excess };
    excess += dropped;
  }
}

/** Undefined when another process is at it, or when somebody reads a segment for too long: then it is for the next time. */
async function alone<T>(database: Database, work: (sql: Sql) => Promise<T>): Promise<T | undefined> {
  try {
    return await database.transaction(async (sql) => {
      const [row] = await sql`SELECT pg_try_advisory_xact_lock(hashtextextended('scout-hub window ' || current_schema(), 0)) AS mine`;
      return row?.mine ? work(sql) : undefined;
    }, STEP_MS);
  } catch (error) {
    if (error instanceof Occupied) return undefined;
    throw error;
  }
}

/**
 * What was received before a time counts as dropped from now on; how many that are. After a long absence it is so much
 * that it is counted by and by: `to` tells how far.
 */
async function passOver(sql: Sql, before: number): Promise<{ count: number; to: number }> {
  const [row] = await sql`SELECT value::bigint AS begin FROM meta WHERE name = 'window_from' FOR UPDATE`;
  const begin = row?.begin as number;
  const [oldest] = await sql`SELECT min(received) AS received FROM heartbeats WHERE received >= ${begin}`;
  // Back as well, when the clock was set back: what comes in then must not be taken as old.
  const to = Math.min(before, oldest?.received === null ? before : oldest?.received + PASS_MS);
  const passed = sql`h.received >= ${begin} AND h.received < ${to}`;
  const [counted] = await sql`SELECT count(*)::int8 AS count FROM heartbeats AS h WHERE ${passed}`;
  if (counted?.count > 0) await lose(sql, passed);
  await forgetInstances(sql, begin, to);
  await sql`UPDATE meta SET value = ${String(to)} WHERE name = 'window_from'`;
  return { count: counted?.count, to };
}

/** Drops what is small and old, and begins a new segment where it is time. */
async function tidy(sql: Sql, before: number, mostBytes: number): Promise<void> {
  await sql`DELETE FROM sessions WHERE last_seen < ${before - SESSION_UNSEEN_MS}`;
  await sql`DELETE FROM mints WHERE until < ${before}`;
  await sql`DELETE FROM ended_keys WHERE ended_at < ${before - ENDED_KEPT_MS}`;
  await sql`DELETE FROM tokens WHERE expires_at < ${before - TOKEN_TOLD_MS}`;
  await endSegment(sql, before, mostBytes);
}

/** All of them are looked at, so it is done now and then. */
async function forgetInstances(sql: Sql, begin: number, before: number): Promise<void> {
  if (Math.floor(begin / FORGET_EVERY_MS) === Math.floor(before / FORGET_EVERY_MS)) return;
  const unseen = sql`seen_at < ${before - INSTANCE_KEPT_MS}`;
  // Under the lock of those who count; a server whose heartbeats come in at this moment is left for the next time.
  await sql`
    WITH held AS (
      SELECT number FROM servers WHERE number IN (SELECT server FROM instances WHERE ${unseen}) FOR NO KEY UPDATE SKIP LOCKED
    ) DELETE FROM instances WHERE ${unseen} AND server IN (SELECT number FROM held)`;
}

/** Begins a new segment when the one that is written to has had its share. */
async function endSegment(sql: Sql, before: number, mostBytes: number): Promise<void> {
  const open = (await segments(sql)).at(-1);
  if (!open) return beginSegment(sql);
  const [span] = await sql.unsafe(`SELECT min(received) AS first, max(received) AS last FROM ${tableOf(open.number)}`);
  if (!span || span.first === null) return;
  const share = Math.min(Math.max(mostBytes * SHARE_OF_BYTES, SEGMENT_LEAST), SEGMENT_MOST);
  if (open.bytes >= share || span.last - span.first >= (span.last - before) * SHARE_OF_TIME) await beginSegment(sql);
}

/** Drops one segment that is before the window as a whole; false when there is none. */
async function dropPassed(sql: Sql): Promise<boolean> {
  for (const { number } of (await segments(sql)).slice(0, -1)) {
    if (await inWindow(sql, number)) continue;
    await useAlone(sql, number);
    // Again, now that nobody can add to it: what was accepted meanwhile must not go with it.
    if (await inWindow(sql, number)) continue;
    await dropSegment(sql, number);
    return true;
  }
  return false;
}

async function inWindow(sql: Sql, segment: number): Promise<boolean> {
  const [row] = await sql.unsafe(`SELECT EXISTS (SELECT FROM ${tableOf(segment)} WHERE received >= ${WINDOW_FROM}) AS it`);
  return row?.it;
}

/** Drops the oldest, in part or as a whole; how many heartbeats of the window that were, null when there is room. */
async function makeRoom(sql: Sql, mostBytes: number): Promise<number | null> {
  const [freed] = await sql`SELECT coalesce(sum(freed), 0)::int8 AS bytes FROM segments`;
  if ((await size(sql)).bytes - freed?.bytes <= mostBytes) return null;
  const [oldest, next] = await segments(sql);
  if (!oldest) return null;
  const table = tableOf(oldest.number);
  // What is written to stays as it is: space that is freed in it would be filled again, and nothing tells of it.
  if (!next) {
    const [row] = await sql.unsafe(`SELECT EXISTS (SELECT FROM ${table}) AS any`);
    if (!row?.any) return null;
    await beginSegment(sql);
  }
  await useAlone(sql, oldest.number);
  const [row] = await sql.unsafe(`
    SELECT count(*)::int8 AS all, count(*) FILTER (WHERE received >= ${WINDOW_FROM})::int8 AS seen FROM ${table}`);
  const { all, seen } = row as unknown as { all: number; seen: number };
  if (seen > 0 && oldest.bytes > mostBytes * SHARE_DROPPED) return dropOldest(sql, oldest.number, oldest.bytes / all);
  if (seen > 0)
    await lose(sql, sql`h.segment = ${oldest.number} AND h.received >= (SELECT value::bigint FROM meta WHERE name = 'window_from')`);
  await dropSegment(sql, oldest.number);
  return seen;
}

/** Drops the oldest rows of a segment, `each` of that many bytes. */
async function dropOldest(sql: Sql, segment: number, each: number): Promise<number> {
  const rows = await sql.unsafe(`
    SELECT number, received >= ${WINDOW_FROM} AS seen FROM ${tableOf(segment)} ORDER BY received, number LIMIT ${STEP}`);
  const seen = rows.filter((one) => one.seen).map((one) => one.number as number);
  await lose(sql, sql`h.segment = ${segment} AND h.number = ANY(${sql.types.int8s(seen)}::bigint[])`);
  const all = sql.types.int8s(rows.map((one) => one.number as number));
  await sql`DELETE FROM heartbeats AS h WHERE h.segment = ${segment} AND h.number = ANY(${all}::bigint[])`;
  await sql`UPDATE segments SET freed = freed + ${Math.round(each * rows.length)}::bigint WHERE number = ${segment}`;
  return seen.length;
}

/** Counts for each reader what leaves the window before it came to it; of a server that was removed nothing is missed. */
async function lose(sql: Sql, which: Fragment): Promise<void> {
  await sql`
    UPDATE cursors AS c SET lost = lost + (
      SELECT count(*) FROM heartbeats AS h WHERE ${which} AND h.number > c.place AND EXISTS (SELECT FROM servers AS s WHERE s.number = h.server))`;
}
