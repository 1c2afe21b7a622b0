import type { Notice, Standing, Told } from '../stream.ts';
import type { Sql } from './client.ts';

/** Servers that have reported, but for those told to be alive and heard within their interval. */
export async function standings(sql: Sql, now: number): Promise<Standing[]> {
  const rows = await sql`
    SELECT s.id, s.org, s.name, l.received, l.interval, l.alive_since, t.state, t.at
    FROM latest AS l JOIN servers AS s ON s.number = l.server LEFT JOIN told AS t ON t.server = l.server
    WHERE t.state IS DISTINCT FROM 'alive' OR l.received + l.interval * 1000 < ${now}::bigint`;
  return rows.map(({ id, org, name, received, interval, alive_since: aliveSince, state, at }) => ({
    server: { id, org, name },
    latest: { received, interval, aliveSince },
    told: state === null ? null : { state, at },
  }));
}

/** Notes what is told and keeps the notices of it, in the caller's transaction. */
export async function tell(sql: Sql, told: Told[], notices: Notice[]): Promise<void> {
  // In one order, so that no two wait for each other.
  for (const { serverId, state, at } of told.toSorted((a, b) => (a.serverId < b.serverId ? -1 : 1)))
    await sql`
      INSERT INTO told (server, state, at) SELECT number, ${state}, ${at}::bigint FROM servers WHERE id = ${serverId}
      ON CONFLICT (server) DO UPDATE SET state = excluded.state, at = excluded.at`;
  for (const { id, body, createdAt, tries, nextAt } of notices)
    await sql`INSERT INTO notices (id, body, created_at, tries, next_at) VALUES (${id}, ${body}, ${createdAt}, ${tries}, ${nextAt})`;
}

/** Notices whose time has come, oldest first. */
export async function dueNotices(sql: Sql, now: number, most: number): Promise<Notice[]> {
  const rows = await sql`SELECT * FROM notices WHERE next_at <= ${now} ORDER BY next_at, created_at, id LIMIT ${most}`;
  return rows.map(({ id, body, created_at: createdAt, tries, next_at: nextAt }) => ({ id, body, createdAt, tries, nextAt }));
}
