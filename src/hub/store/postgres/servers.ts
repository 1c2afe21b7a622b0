import { randomUUID } from 'node:crypto';
import { fleetRowOf, KEY, keyOf, SERVER, serverOf } from '../rows.ts';
import type { AuditEntry, EndedKey, FleetRow, Founder, Server, ServerKey } from '../store.ts';
import { appendAudit } from './audit.ts';
import type { Sql } from './client.ts';
import { unlessTaken } from './faults.ts';
import { endKeys, lockServer, putKey } from './keys.ts';
import { lockOrganisation } from './organisations.ts';

/** Registers a server with its key and its line, in the caller's transaction. Throws HUB_SERVER_EXISTS. */
export async function addServer(sql: Sql, server: Server, key: ServerKey, audit?: AuditEntry): Promise<void> {
  await lockOrganisation(sql, server.org);
  await putKey(sql, await insertServer(sql, server), key);
  await appendAudit(sql, audit);
}

/** Registers a server without a key; its number. Belongs into the caller's transaction. Throws HUB_SERVER_EXISTS. */
export async function insertServer(sql: Sql, server: Server, broughtBy: string | null = null): Promise<number> {
  const { id, org, name, policy, graceMs, createdAt } = server;
  const [row] = await unlessTaken(
    'servers_name',
    'HUB_SERVER_EXISTS',
    { name },
    () => sql`
      INSERT INTO servers (id, org, name, policy, grace_ms, created_at, brought_by)
      VALUES (${id}, ${org}, ${name}, ${policy}, ${graceMs}, ${createdAt}, ${broughtBy}) RETURNING number`,
  );
  return row?.number;
}

/** The server of a host, in the caller's transaction, registered when there is none and its founder may. */
export async function serverForHost(sql: Sql, org: string, name: string, now: number, by: Founder): Promise<Server | undefined> {
  await lockOrganisation(sql, org);
  const there = await serverByName(sql, org, name);
  if (there) return there;
  const { actor, address, family, most } = by;
  const [brought] = await sql`SELECT count(*)::int8 AS count FROM servers WHERE org = ${org} AND brought_by = ${family}`;
  if (most !== null && brought?.count >= most) return undefined;
  const server: Server = { id: randomUUID(), org, name, policy: 'multi', graceMs: 0, createdAt: now };
  await insertServer(sql, server, family);
  const detail = { policy: server.policy, because: 'a heartbeat came with a credential of the organisation' };
  await appendAudit(sql, { org, at: now, actor, action: 'server.add', subject: `server:${name}`, detail, address });
  return server;
}

/** Another policy or window, in the caller's transaction; false for an unknown server. */
export async function changeServer(sql: Sql, { id, org, policy, graceMs }: Server, audit?: AuditEntry): Promise<boolean> {
  await lockOrganisation(sql, org);
  const changed = await sql`UPDATE servers SET policy = ${policy}, grace_ms = ${graceMs} WHERE id = ${id}`;
  if (changed.count === 0) return false;
  await appendAudit(sql, audit);
  return true;
}

/**
 * Removes a server in the caller's transaction; the number that its heartbeats stand under, undefined for an unknown one.
 */
export async function removeServer(sql: Sql, id: string, audit?: AuditEntry): Promise<number | undefined> {
  const [found] = await sql`SELECT org, name FROM servers WHERE id = ${id}`;
  if (!found) return undefined;
  await lockOrganisation(sql, found.org);
  const number = await lockServer(sql, id);
  if (number === undefined) return undefined;
  if (audit) await endKeys(sql, number, audit.at, 'removed');
  await sql`DELETE FROM refusals WHERE server = ${number}`;
  // One that is left would bring the server back.
  await sql`DELETE FROM tokens WHERE org = ${found.org} AND server_name = ${found.name}`;
  await sql`DELETE FROM servers WHERE number = ${number}`;
  await appendAudit(sql, audit);
  return number;
}

/** Every server of an organisation, by name. */
export async function servers(sql: Sql, org: string): Promise<Server[]> {
  return (await sql`SELECT ${sql.unsafe(SERVER)} FROM servers AS s WHERE s.org = ${org} ORDER BY s.name`).map(serverOf);
}

export async function serverByName(sql: Sql, org: string, name: string): Promise<Server | undefined> {
  const [row] = await sql`SELECT ${sql.unsafe(SERVER)} FROM servers AS s WHERE s.org = ${org} AND s.name = ${name}`;
  return row && serverOf(row);
}

export async function findKey(sql: Sql, hash: string): Promise<{ server: Server; key: ServerKey } | undefined> {
  const [row] = await sql`
    SELECT ${sql.unsafe(SERVER)}, ${sql.unsafe(KEY)} FROM keys AS k JOIN servers AS s ON s.number = k.server WHERE k.hash = ${hash}`;
  return row && { server: serverOf(row), key: keyOf(row) };
}

export async function endedKey(sql: Sql, hash: string): Promise<EndedKey | undefined> {
  const [row] = await sql`
    SELECT ${sql.unsafe(SERVER)}, e.ended_at, e.how FROM ended_keys AS e LEFT JOIN servers AS s ON s.number = e.server
    WHERE e.hash = ${hash}`;
  return row && { hash, server: row.server_id === null ? undefined : serverOf(row), endedAt: row.ended_at, how: row.how };
}

/** Every server of an organisation with how it stands, by name; or the one of a name. */
export async function fleet(sql: Sql, org: string, name: string | null = null): Promise<FleetRow[]> {
  const rows = await sql`
    SELECT ${sql.unsafe(SERVER)}, l.*, coalesce(k.slot, l.key_slot) AS slot, k.created_at AS key_created,
      (SELECT coalesce(sum(i.accepted), 0)::int8 FROM instances AS i WHERE i.server = s.number) AS accepted,
      (SELECT max(r.last_at) FROM refusals AS r WHERE r.server = s.number AND r.status IN (401, 403)) AS refused_at
    FROM servers AS s LEFT JOIN latest AS l ON l.server = s.number LEFT JOIN keys AS k ON k.hash = l.key_hash
    WHERE s.org = ${org} AND (${name}::text IS NULL OR s.name = ${name}::text) ORDER BY s.name`;
  return rows.map(fleetRowOf);
}

export async function inventory(sql: Sql, serverId: string): Promise<string | null> {
  const [row] = await sql`SELECT body FROM inventories AS v JOIN servers AS s ON s.number = v.server WHERE s.id = ${serverId}`;
  return row?.body ?? null;
}

export async function refuse(sql: Sql, serverId: string | null, status: number, count: number, at: number): Promise<void> {
  await sql`
    INSERT INTO refusals AS r (server, status, count, last_at)
    VALUES (coalesce((SELECT number FROM servers WHERE id = ${serverId}::text), 0), ${status}, ${count}, ${at})
    ON CONFLICT (server, status) DO UPDATE SET count = r.count + excluded.count, last_at = greatest(r.last_at, excluded.last_at)`;
}

export async function refusals(sql: Sql, serverId: string): Promise<Record<string, number>> {
  const rows = await sql`
    SELECT status, count FROM refusals AS r JOIN servers AS s ON s.number = r.server WHERE s.id = ${serverId} ORDER BY status`;
  return Object.fromEntries(rows.map((row) => [String(row.status), row.count]));
}

/** How many servers there are, and how many bytes the schema's tables and indexes take on the disk. */
export async function size(sql: Sql): Promise<{ servers: number; bytes: number }> {
  const [row] = await sql`
    SELECT (SELECT count(*) FROM servers)::int8 AS servers,
      (SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r')::int8 AS bytes`;
  return { servers: row?.servers, bytes: row?.bytes };
}
