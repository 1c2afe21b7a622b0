import type { AuditEntry, Session, User } from '../store.ts';
import { appendAudit } from './audit.ts';
import type { Row, Sql } from './client.ts';
import { unlessTaken } from './faults.ts';

/** Adds a person with their line, in the caller's transaction. Throws HUB_USER_EXISTS. */
export async function addUser(sql: Sql, { id, org, name, role, passwordHash }: User, audit?: AuditEntry): Promise<void> {
  await unlessTaken(
    'users_name',
    'HUB_USER_EXISTS',
    { name },
    () => sql`INSERT INTO users (id, org, name, role, password_hash) VALUES (${id}, ${org}, ${name}, ${role}, ${passwordHash})`,
  );
  await appendAudit(sql, audit);
}

/** Writes a person's role and password, in the caller's transaction; another password ends their sessions. False: there is none. */
export async function changeUser(sql: Sql, { id, name, role, passwordHash }: User, audit?: AuditEntry): Promise<boolean> {
  const [before] = await sql`SELECT password_hash FROM users WHERE id = ${id} AND name = ${name} FOR UPDATE`;
  if (!before) return false;
  await sql`UPDATE users SET role = ${role}, password_hash = ${passwordHash} WHERE id = ${id}`;
  if (before.password_hash !== passwordHash) await removeSessions(sql, id);
  await appendAudit(sql, audit);
  return true;
}

/** Removes a person with their line, in the caller's transaction; false when there is no such person. */
export async function removeUser(sql: Sql, id: string, audit?: AuditEntry): Promise<boolean> {
  if ((await sql`DELETE FROM users WHERE id = ${id}`).count !== 1) return false;
  await appendAudit(sql, audit);
  return true;
}

export async function users(sql: Sql, org: string): Promise<User[]> {
  return (await sql`SELECT * FROM users WHERE org = ${org} ORDER BY name`).map(userOf);
}

export async function userByName(sql: Sql, name: string): Promise<User | undefined> {
  const [row] = await sql`SELECT * FROM users WHERE name = ${name}`;
  return row && userOf(row);
}

export async function addSession(sql: Sql, { hash, userId, createdAt, lastSeen }: Session): Promise<void> {
  await sql`INSERT INTO sessions (hash, "user", created_at, last_seen) VALUES (${hash}, ${userId}, ${createdAt}, ${lastSeen})`;
}

export async function session(sql: Sql, hash: string): Promise<{ session: Session; user: User } | undefined> {
  const [row] = await sql`
    SELECT u.*, x.created_at, x.last_seen FROM sessions AS x JOIN users AS u ON u.id = x."user" WHERE x.hash = ${hash}`;
  if (!row) return undefined;
  const user = userOf(row);
  return { session: { hash, userId: user.id, createdAt: row.created_at, lastSeen: row.last_seen }, user };
}

/** Ends every session of a person; how many there were. */
export async function removeSessions(sql: Sql, userId: string): Promise<number> {
  return (await sql`DELETE FROM sessions WHERE "user" = ${userId}`).count;
}

function userOf(row: Row): User {
  return { id: row.id, org: row.org, name: row.name, role: row.role, passwordHash: row.password_hash };
}
