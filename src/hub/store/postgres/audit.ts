import { link } from '../../../support/chain.ts';
import { auditLineOf } from '../audit-line.ts';
import type { AuditEntry, AuditLine } from '../store.ts';
import type { Sql } from './client.ts';

/**
 * Adds a line to its organisation's trail, if there is one to add. Belongs into the caller's transaction, at its end: the
 * lock that keeps two lines from following the same one, in whatever process, is held until that is over.
 */
export async function appendAudit(sql: Sql, entry: AuditEntry | undefined): Promise<void> {
  if (!entry) return;
  const { org, at, actor, action, subject, detail, address } = entry;
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('scout-hub audit ' || current_schema() || ' ' || ${org}::text, 0))`;
  const [last] = await sql`SELECT seq, line FROM audit WHERE org = ${org} ORDER BY seq DESC LIMIT 1`;
  const line = link({ at, actor, action, subject, detail, address }, last ? { seq: last.seq, hash: auditLineOf(last).hash } : null);
  await sql`INSERT INTO audit (org, seq, line) VALUES (${org}, ${line.seq}, ${JSON.stringify(line)})`;
}

/** Lines of an organisation's trail from a number on, as they were hashed. */
export async function auditTrail(sql: Sql, org: string, from: number, most: number): Promise<AuditLine[]> {
  const rows = await sql`SELECT seq, line FROM audit WHERE org = ${org} AND seq >= ${from} ORDER BY seq LIMIT ${most}`;
  return rows.map(auditLineOf);
}
