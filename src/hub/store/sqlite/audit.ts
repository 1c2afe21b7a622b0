import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { link } from '../../../support/chain.ts';
import type { AuditEntry, AuditLine } from '../store.ts';

/** The audit trails in the SQLite store, one an organisation: lines are added, and read as they were hashed. */
export class Audit {
  readonly #last: StatementSync;
  readonly #add: StatementSync;
  readonly #trail: StatementSync;

  constructor(database: DatabaseSync) {
    this.#last = database.prepare('SELECT seq, line FROM audit WHERE org = ? ORDER BY seq DESC LIMIT 1');
    this.#add = database.prepare('INSERT INTO audit (org, seq, line) VALUES (?, ?, ?)');
    this.#trail = database.prepare('SELECT seq, line FROM audit WHERE org = ? AND seq >= ? ORDER BY seq LIMIT ?');
  }

  /** Adds a line, if there is one to add. Belongs into the caller's transaction, or two lines would follow the same one. */
  append(entry: AuditEntry | undefined): void {
    if (!entry) return;
    const row = this.#last.get(entry.org);
    const { org, at, actor, action, subject, detail, address } = entry;
    const line = link({ at, actor, action, subject, detail, address }, row ? { seq: row.seq as number, hash: lineOf(row).hash } : null);
    this.#add.run(org, line.seq, JSON.stringify(line));
  }

  trail(org: string, from: number, most: number): AuditLine[] {
    return this.#trail.all(org, from, most).map(lineOf);
  }
}

/** A line that somebody spoilt so far that it cannot be read comes back empty, for whoever walks the chain to find. */
function lineOf(row: Record<string, SQLOutputValue>): AuditLine {
  try {
    const line = JSON.parse(row.line as string) as AuditLine | null;
    if (typeof line?.hash === 'string') return line;
  } catch {}
  return { seq: row.seq as number, at: 0, actor: '', action: '', subject: '', detail: {}, address: null, prev: '', hash: '' };
}
