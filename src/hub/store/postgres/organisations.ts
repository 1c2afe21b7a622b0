import { ScoutError } from '../../../support/errors.ts';
import { organisationOf } from '../rows.ts';
import { type AuditEntry, DEFAULT_ORGANISATION, type Organisation } from '../store.ts';
import { appendAudit } from './audit.ts';
import type { Sql } from './client.ts';
import { unlessTaken } from './faults.ts';

/**
 * Keeps everybody else from registering servers, changing credentials or using tokens of an organisation until the
 * transaction is over. It comes before the locks of servers, and those before the audit trail's: who takes them in one
 * order never waits for one who waits for him.
 */
export async function lockOrganisation(sql: Sql, id: string): Promise<boolean> {
  const rows = await sql`SELECT FROM organisations WHERE id = ${id} FOR NO KEY UPDATE`;
  return rows.count === 1;
}

/** Every organisation, by name. */
export async function organisations(sql: Sql): Promise<Organisation[]> {
  return (await sql`SELECT * FROM organisations ORDER BY name`).map(organisationOf);
}

export async function organisationByName(sql: Sql, name: string): Promise<Organisation | undefined> {
  const [row] = await sql`SELECT * FROM organisations WHERE name = ${name}`;
  return row && organisationOf(row);
}

/** Adds one with its line, in the caller's transaction. Throws HUB_ORGANISATION_EXISTS. */
export async function addOrganisation(sql: Sql, { id, name, createdAt }: Organisation, audit?: AuditEntry): Promise<void> {
  await unlessTaken(
    'organisations_name',
    'HUB_ORGANISATION_EXISTS',
    { name },
    () => sql`INSERT INTO organisations (id, name, created_at) VALUES (${id}, ${name}, ${createdAt})`,
  );
  await appendAudit(sql, audit);
}

/** Removes one with its tokens, people and credentials, in the caller's transaction. Throws HUB_ORGANISATION_IN_USE. */
export async function removeOrganisation(sql: Sql, id: string, audit?: AuditEntry): Promise<void> {
  await sql`SELECT FROM organisations WHERE id = ${id} FOR UPDATE`;
  const [row] = await sql`SELECT count(*)::int8 AS servers FROM servers WHERE org = ${id}`;
  if (row?.servers > 0 || id === DEFAULT_ORGANISATION) throw new ScoutError('HUB_ORGANISATION_IN_USE', { servers: row?.servers });
  await sql`DELETE FROM organisations WHERE id = ${id}`;
  await appendAudit(sql, audit);
}
