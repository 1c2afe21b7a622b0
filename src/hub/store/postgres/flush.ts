import { ScoutError } from '../../../support/errors.ts';
import { stateOf } from '../../servers.ts';
import type { Incoming, KeyUse, Server } from '../store.ts';
import { ROLLUP_MS } from '../stream.ts';
import type { Sql } from './client.ts';
import { packedFrames } from './frames.ts';
import { enterOrder } from './order.ts';
import { type Numbers, readNumbers, writeNumbers } from './sequences.ts';
import { noteUses } from './uses.ts';

/** A batch as it is handed to the store. */
export interface Batch {
  server: Server;
  key: KeyUse;
  beats: Incoming[];
  received: number;
}

export interface Counts {
  accepted: number;
  duplicates: number;
}

/** A heartbeat that is new. */
interface Fresh {
  server: number;
  received: number;
  beat: Incoming;
}

interface Before {
  received: number;
  interval: number;
  aliveSince: number;
}

/** The newest heartbeat of a batch, and since when they have come in without a break. */
interface Newest extends Fresh {
  key: KeyUse;
  aliveSince: number;
}

/**
 * Stores batches in the caller's transaction; for each its counts, or the error that its server is gone. Servers are
 * locked first, in their order, so that of several processes only one counts a server's numbers at a time, and no two
 * wait for each other.
 */
export async function storeBatches(sql: Sql, batches: Batch[]): Promise<(Counts | ScoutError)[]> {
  const numberOf = await lockServers(sql, batches);
  const known = batches.filter(({ server }) => numberOf.has(server.id));
  const of = (batch: Batch) => numberOf.get(batch.server.id) as number;
  const [numbers, before] = await Promise.all([readNumbers(sql, wantedOf(known, of)), readLatest(sql, [...numberOf.values()])]);
  const marks = new Map(numbers.map((one) => [`${one.server} ${one.instance}`, one.marks]));

  const fresh: Fresh[] = [];
  const newest = new Map<number, Newest>();
  const inventories = new Map<number, string>();
  const counts = batches.map((batch) => {
    if (!numberOf.has(batch.server.id)) return new ScoutError('HUB_SERVER_UNKNOWN', { name: batch.server.name });
    const { key, received } = batch;
    const server = of(batch);
    const taken = batch.beats
      .filter(({ instance, sequence }) => marks.get(`${server} ${instance}`)?.mark(sequence))
      .map((beat) => ({ server, received, beat }));
    fresh.push(...taken);
    const last = latestOf(taken);
    if (last) {
      const aliveSince = aliveSinceOf(before.get(server), received);
      newest.set(server, { ...last, key, aliveSince });
      before.set(server, { received, interval: last.beat.interval, aliveSince });
    }
    const inventory = latestOf(taken.filter(({ beat }) => beat.inventory !== null))?.beat.inventory;
    if (inventory) inventories.set(server, inventory);
    return { accepted: taken.length, duplicates: batch.beats.length - taken.length };
  });

  if (numbers.length > 0) await writeNumbers(sql, numbers);
  if (fresh.length > 0) {
    await enterOrder(sql);
    await Promise.all([insert(sql, fresh), putLatest(sql, [...newest.values()]), markUnrolled(sql, fresh)]);
    if (inventories.size > 0) await putInventories(sql, inventories);
  }
  await noteUses(
    sql,
    known.map(({ key, received }) => ({ key, at: received })),
  );
  return counts;
}

async function lockServers(sql: Sql, batches: Batch[]): Promise<Map<string, number>> {
  const ids = [...new Set(batches.map(({ server }) => server.id))];
  const rows = await sql`SELECT id, number FROM servers WHERE id = ANY(${sql.types.texts(ids)}) ORDER BY number FOR NO KEY UPDATE`;
  return new Map(rows.map(({ id, number }) => [id, number]));
}

function wantedOf(batches: Batch[], of: (batch: Batch) => number): Omit<Numbers, 'marks'>[] {
  const wanted = new Map<string, Omit<Numbers, 'marks'>>();
  for (const batch of batches) {
    const server = of(batch);
    for (const { instance, sequence } of batch.beats) {
      const found = wanted.get(`${server} ${instance}`) ?? { server, instance, sequences: [], seenAt: batch.received };
      found.sequences.push(sequence);
      found.seenAt = batch.received;
      wanted.set(`${server} ${instance}`, found);
    }
  }
  return [...wanted.values()];
}

async function readLatest(sql: Sql, servers: number[]): Promise<Map<number, Before>> {
  const rows = await sql`SELECT server, received, interval, alive_since FROM latest WHERE server = ANY(${sql.types.int8s(servers)})`;
  return new Map(rows.map(({ server, received, interval, alive_since: aliveSince }) => [server, { received, interval, aliveSince }]));
}

/** The one sampled last; of several at once, the one that stands last. */
function latestOf(taken: Fresh[]): Fresh | undefined {
  let latest = taken[0];
  for (const one of taken) if (latest && one.beat.time >= latest.beat.time) latest = one;
  return latest;
}

const aliveSinceOf = (before: Before | undefined, received: number) =>
  before && stateOf(before, received) === 'alive' ? before.aliveSince : received;

async function insert(sql: Sql, fresh: Fresh[]): Promise<void> {
  const { int8s } = sql.types;
  const packed = packedFrames(fresh.map(({ beat }) => beat.frame));
  await sql`
    INSERT INTO heartbeats (segment, server, time, received, frame)
    SELECT (SELECT max(number) FROM segments), w.server, w.time, w.received,
      substring(${packed.bytes}::bytea FROM (w.stop - w.length + 1)::integer FOR w.length::integer)
    FROM unnest(${int8s(fresh.map((one) => one.server))}::bigint[], ${int8s(fresh.map(({ beat }) => beat.time))}::bigint[],
      ${int8s(fresh.map((one) => one.received))}::bigint[], ${int8s(packed.stops)}::bigint[], ${int8s(packed.lengths)}::bigint[])
      WITH ORDINALITY AS w (server, time, received, stop, length, n)
    ORDER BY w.n`;
}

async function putLatest(sql: Sql, all: Newest[]): Promise<void> {
  const { int8s, floats, texts } = sql.types;
  await sql`
    INSERT INTO latest (server, time, received, interval, agent_version, host_name, key_hash, key_slot, alive_since)
    SELECT * FROM unnest(${int8s(all.map((one) => one.server))}::bigint[], ${int8s(all.map(({ beat }) => beat.time))}::bigint[],
      ${int8s(all.map((one) => one.received))}::bigint[], ${floats(all.map(({ beat }) => beat.interval))}::float8[],
      ${texts(all.map(({ beat }) => beat.agentVersion))}::text[], ${texts(all.map(({ beat }) => beat.hostName))}::text[],
      ${texts(all.map(({ key }) => key.hash))}::text[], ${texts(all.map(({ key }) => key.slot))}::text[],
      ${int8s(all.map((one) => one.aliveSince))}::bigint[])
    ON CONFLICT (server) DO UPDATE SET time = excluded.time, received = excluded.received, interval = excluded.interval,
      agent_version = excluded.agent_version, host_name = excluded.host_name, key_hash = excluded.key_hash,
      key_slot = excluded.key_slot, alive_since = excluded.alive_since`;
}

async function putInventories(sql: Sql, all: Map<number, string>): Promise<void> {
  await sql`
    INSERT INTO inventories (server, body)
    SELECT * FROM unnest(${sql.types.int8s([...all.keys()])}::bigint[], ${sql.types.texts([...all.values()])}::text[])
    ON CONFLICT (server) DO UPDATE SET body = excluded.body`;
}

/** Stretches that want a roll-up; most are noted already, and are left as they are. */
async function markUnrolled(sql: Sql, fresh: Fresh[]): Promise<void> {
  const since = new Map<string, [server: number, time: number, since: number]>();
  for (const { server, received, beat } of fresh) {
    const time = beat.time - (beat.time % ROLLUP_MS);
    if (!since.has(`${server} ${time}`)) since.set(`${server} ${time}`, [server, time, received]);
  }
  const column = (index: 0 | 1 | 2) => sql.types.int8s([...since.values()].map((one) => one[index]));
  await sql`
    INSERT INTO unrolled (server, time, since)
    SELECT * FROM unnest(${column(0)}::bigint[], ${column(1)}::bigint[], ${column(2)}::bigint[]) AS w (server, time, since)
    WHERE NOT EXISTS (SELECT FROM unrolled AS u WHERE u.server = w.server AND u.time = w.time AND NOT u.taken)
    ON CONFLICT (server, time) DO UPDATE SET taken = false, since = excluded.since WHERE unrolled.taken`;
}
