import { ScoutError } from '../../../support/errors.ts';
import { KEY, keyOf } from '../rows.ts';
import { type EndedKey, type Ending, type KeyEdit, MINT_KEPT_MS, type Mint, type ServerKey } from '../store.ts';
import { appendAudit } from './audit.ts';
import type { Fragment, Sql } from './client.ts';
import { unlessTaken } from './faults.ts';

/**
 * The number that rows refer to a server by, undefined for an unknown one; nobody else changes its keys, or takes its
 * heartbeats, until the transaction is over.
 */
export async function lockServer(sql: Sql, id: string): Promise<number | undefined> {
  const [row] = await sql`SELECT number FROM servers WHERE id = ${id} FOR NO KEY UPDATE`;
  return row?.number;
}

/** The keys of a server, the oldest first. */
export async function keysOf(sql: Sql, serverId: string): Promise<ServerKey[]> {
  const rows = await sql`
    SELECT s.id AS server_id, ${sql.unsafe(KEY)} FROM keys AS k JOIN servers AS s ON s.number = k.server
    WHERE s.id = ${serverId} ORDER BY k.created_at, k.id`;
  return rows.map(keyOf);
}

/** The keys of every server of an organisation, the oldest first. */
export async function keysOfAll(sql: Sql, org: string): Promise<ServerKey[]> {
  const rows = await sql`
    SELECT s.id AS server_id, ${sql.unsafe(KEY)} FROM keys AS k JOIN servers AS s ON s.number = k.server
    WHERE s.org = ${org} ORDER BY k.created_at, k.id`;
  return rows.map(keyOf);
}

/** Keys of a server that ended, the latest first. */
export async function endedKeysOf(sql: Sql, serverId: string): Promise<Omit<EndedKey, 'server'>[]> {
  const rows = await sql`
    SELECT e.hash, e.ended_at, e.how FROM ended_keys AS e JOIN servers AS s ON s.number = e.server
    WHERE s.id = ${serverId} ORDER BY e.ended_at DESC, e.hash COLLATE "C"`;
  return rows.map(({ hash, ended_at: endedAt, how }) => ({ hash, endedAt, how }));
}

/** Writes one key. Belongs into the caller's transaction. Throws HUB_KEY_EXISTS, HUB_KEY_ENDED. */
export async function putKey(sql: Sql, server: number, key: ServerKey): Promise<void> {
  const { id, name, hash, slot, enabled, createdAt, validUntil, lastUsed } = key;
  const [ended] = await sql`
    SELECT FROM ended_keys WHERE hash = ${hash} AND NOT EXISTS (SELECT FROM keys WHERE hash = ${hash})`;
  if (ended) throw new ScoutError('HUB_KEY_ENDED');
  await unlessTaken(
    'keys_hash',
    'HUB_KEY_EXISTS',
    {},
    () => sql`
      INSERT INTO keys (id, server, name, hash, slot, enabled, created_at, valid_until, last_used)
      VALUES (${id}, ${server}, ${name}, ${hash}, ${slot}, ${enabled}, ${createdAt}, ${validUntil}, ${lastUsed})
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, slot = excluded.slot, enabled = excluded.enabled,
        valid_until = excluded.valid_until, last_used = excluded.last_used`,
  );
}

/** Writes and drops keys of a server. Belongs into the caller's transaction. Throws HUB_KEY_EXISTS, HUB_KEY_ENDED. */
export async function writeKeys(sql: Sql, server: number, edit: Pick<KeyEdit, 'put' | 'drop' | 'ended'>): Promise<void> {
  const { put = [], drop = [], ended } = edit;
  if (drop.length > 0) {
    const ids = sql.types.texts(drop);
    if (ended) await end(sql, ended.at, ended.how, sql`server = ${server} AND id = ANY(${ids})`);
    await sql`DELETE FROM keys WHERE server = ${server} AND id = ANY(${ids})`;
  }
  for (const key of put) await putKey(sql, server, key);
}

/** Remembers every key of a server as ended. Belongs into the caller's transaction. */
export async function endKeys(sql: Sql, server: number, at: number, how: Ending): Promise<void> {
  await end(sql, at, how, sql`server = ${server}`);
}

/** Changes the keys of a server with what `decide` makes of them, in the caller's transaction. */
export async function changeKeys(sql: Sql, serverId: string, decide: (keys: ServerKey[]) => KeyEdit): Promise<void> {
  const server = await lockServer(sql, serverId);
  if (server === undefined) throw new ScoutError('HUB_SERVER_UNKNOWN', { name: serverId });
  const { mint, audit, ...edit } = decide(await keysOf(sql, serverId));
  await writeKeys(sql, server, edit);
  if (mint) await addMint(sql, server, mint);
  await appendAudit(sql, audit);
}

export async function mintOf(sql: Sql, id: string): Promise<Mint | undefined> {
  const [row] = await sql`
    SELECT m.sealed, m.until, s.id AS server_id FROM mints AS m JOIN servers AS s ON s.number = m.server WHERE m.id = ${id}`;
  return row && { id, serverId: row.server_id, sealed: new Uint8Array(row.sealed), until: row.until };
}

async function end(sql: Sql, at: number, how: Ending, which: Fragment): Promise<void> {
  await sql`
    INSERT INTO ended_keys (hash, server, ended_at, how)
    SELECT hash, server, least(${at}::bigint, valid_until), CASE WHEN valid_until <= ${at}::bigint THEN 'replaced' ELSE ${how} END
    FROM keys WHERE ${which}
    ON CONFLICT (hash) DO UPDATE SET server = excluded.server, ended_at = excluded.ended_at, how = excluded.how`;
}

/** One that has lapsed makes room; one that has not belongs to an answer already given. */
async function addMint(sql: Sql, server: number, { id, sealed, until }: Mint): Promise<void> {
  const { count } = await sql`
    INSERT INTO mints (id, server, sealed, until) VALUES (${id}, ${server}, ${sealed}, ${until})
    ON CONFLICT (id) DO UPDATE SET server = excluded.server, sealed = excluded.sealed, until = excluded.until
      WHERE mints.until <= excluded.until - ${MINT_KEPT_MS}::bigint`;
  if (count !== 1) throw new ScoutError('HUB_KEY_EXISTS');
}
