import { faultOf, type Link } from '../support/chain.ts';
import { ScoutError } from '../support/errors.ts';
import type { AuditEntry, Store } from './store.ts';

/** A line of the audit trail, as stored. */
export type AuditLine = AuditEntry & Link;

const PAGE = 1_000;

/** Every line of the audit trail, oldest first, a page at a time. */
export async function* auditLines(store: Pick<Store, 'auditTrail'>): AsyncGenerator<AuditLine> {
  for (let from = 1; ; ) {
    const lines = await store.auditTrail(from, PAGE);
    yield* lines;
    const last = lines.at(-1);
    if (!last || lines.length < PAGE) return;
    // Of a line that was edited, the number cannot be trusted to lead on.
    from = Math.max(last.seq, from + lines.length - 1) + 1;
  }
}

/**
 * Walks the chain from its first line to its last. Throws HUB_AUDIT_BROKEN with the first line that does not fit. Lines
 * cut off at the end leave a whole chain: only the number and hash of the last line, kept elsewhere, would show that.
 */
export async function verifyAudit(store: Pick<Store, 'auditTrail'>): Promise<{ lines: number; last: string | null }> {
  let before: AuditLine | null = null;
  let lines = 0;
  for await (const line of auditLines(store)) {
    lines++;
    const detail = faultOf(line, before);
    if (detail !== undefined) throw new ScoutError('HUB_AUDIT_BROKEN', { line: String(lines), detail });
    before = line;
  }
  return { lines, last: before?.hash ?? null };
}
