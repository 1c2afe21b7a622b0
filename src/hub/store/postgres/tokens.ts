import { tokenOf } from '../rows.ts';
import type { AuditEntry, DecideEnrolment, Token } from '../store.ts';
import { appendAudit } from './audit.ts';
import type { Sql } from './client.ts';
import { keysOf, lockServer, writeKeys } from './keys.ts';
import { lockOrganisation } from './organisations.ts';
import { insertServer, serverByName } from './servers.ts';

/** Keeps a token with its line, in the caller's transaction. */
export async function addToken(sql: Sql, token: Token, audit?: AuditEntry): Promise<void> {
  await lockOrganisation(sql, token.org);
  await write(sql, token);
  await appendAudit(sql, audit);
}

/** Every token of an organisation, the newest first. */
export async function tokens(sql: Sql, org: string): Promise<Token[]> {
  return (await sql`SELECT * FROM tokens WHERE org = ${org} ORDER BY created_at DESC, hash`).map(tokenOf);
}

/** Forgets a token, in the caller's transaction; false when there is none of that hash. */
export async function removeToken(sql: Sql, hash: string, audit?: AuditEntry): Promise<boolean> {
  if ((await sql`DELETE FROM tokens WHERE hash = ${hash}`).count !== 1) return false;
  await appendAudit(sql, audit);
  return true;
}

/** Enrols a host with what `decide` makes of a token, its server and that one's keys, in the caller's transaction. */
export async function enroll(sql: Sql, hash: string, decide: DecideEnrolment): Promise<void> {
  // The organisation first, for that is the order of the locks; then again, since it may have been used meanwhile.
  const [first] = await sql`SELECT org FROM tokens WHERE hash = ${hash}`;
  if (first) await lockOrganisation(sql, first.org);
  const [row] = await sql`SELECT * FROM tokens WHERE hash = ${hash} FOR UPDATE`;
  const token = row && tokenOf(row);
  const server = token && (await serverByName(sql, token.org, token.serverName));
  const there = server && (await lockServer(sql, server.id));
  const decided = decide(token, server, server ? await keysOf(sql, server.id) : []);
  if (!decided) return;
  const { register, audit, ...edit } = decided;
  const number = register ? await insertServer(sql, register) : there;
  if (number === undefined) throw new Error('an enrolment without a server');
  await writeKeys(sql, number, edit);
  await write(sql, edit.token);
  await appendAudit(sql, audit);
}

async function write(sql: Sql, token: Token): Promise<void> {
  const { hash, org, serverName, policy, graceMs, createdAt, expiresAt, usedAt, usedFor } = token;
  await sql`
    INSERT INTO tokens (hash, org, server_name, policy, grace_ms, created_at, expires_at, used_at, used_for)
    VALUES (${hash}, ${org}, ${serverName}, ${policy}, ${graceMs}, ${createdAt}, ${expiresAt}, ${usedAt}, ${usedFor})
    ON CONFLICT (hash) DO UPDATE SET server_name = excluded.server_name, policy = excluded.policy,
      grace_ms = excluded.grace_ms, created_at = excluded.created_at, expires_at = excluded.expires_at,
      used_at = excluded.used_at, used_for = excluded.used_for`;
}
