import { unlessLastAdmin } from '../last-admin.ts';
import { userOf } from '../rows.ts';
import type { AuditEntry, Session, User, UserChange } from '../store.ts';
import { appendAudit } from './audit.ts';
import type { Sql } from './client.ts';
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

/**
 * Gives a person another role or password, in the caller's transaction; another password ends their sessions. Undefined:
 * there is none. Throws HUB_USER_LAST.
 */
export async function changeUser(sql: Sql, id: string, change: UserChange, audit?: AuditEntry): Promise<User | undefined> {
  const people = await lockWithAdmins(sql, id);
  const before = people.find((one) => one.id === id);
  if (!before) return undefined;
  const user = { ...before, ...change };
  if (user.role !== 'admin') unlessLastAdmin(before, people);
  await sql`UPDATE users SET role = ${user.role}, password_hash = ${user.passwordHash} WHERE id = ${id}`;
  if (before.passwordHash !== user.passwordHash) await removeSessions(sql, id);
  await appendAudit(sql, audit);
  return user;
}

/** Removes a person with their line, in the caller's transaction; false when there is no such person. Throws HUB_USER_LAST. */
export async function removeUser(sql: Sql, id: string, audit?: AuditEntry): Promise<boolean> {
  const people = await lockWithAdmins(sql, id);
  const user = people.find((one) => one.id === id);
  if (!user) return false;
  unlessLastAdmin(user, people);
  await sql`DELETE FROM users WHERE id = ${id}`;
  await appendAudit(sql, audit);
  return true;
}

/** A person and the admins of their organisation, locked: in one order, so that two who ask at once wait and do not die of it. */
async function lockWithAdmins(sql: Sql, id: string): Promise<User[]> {
  const org = sql`SELECT org FROM users WHERE id = ${id}`;
  return (await sql`SELECT * FROM users WHERE org = (${org}) AND (role = 'admin' OR id = ${id}) ORDER BY id FOR UPDATE`).map(userOf);
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
