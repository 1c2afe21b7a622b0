import type { AuditLine } from './records.ts';

/**
 * A line of the audit trail from its row. One that somebody spoilt so far that it cannot be read comes back empty, for
 * whoever walks the chain to find.
 */
export function auditLineOf({ seq, line: text }: Record<string, unknown>): AuditLine {
  try {
    const line = JSON.parse(text as string) as AuditLine | null;
    if (typeof line?.hash === 'string') return line;
  } catch {}
  return { seq: seq as number, at: 0, actor: '', action: '', subject: '', detail: {}, address: null, prev: '', hash: '' };
}
