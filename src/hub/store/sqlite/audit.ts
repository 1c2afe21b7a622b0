import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { link } from '../../../support/chain.ts';
import { auditLineOf } from '../audit-line.ts';
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
    const line = link(
      { at, actor, action, subject, detail, address },
      row ? { seq: row.seq as number, hash: auditLineOf(row).hash } : null,
    );
    this.#add.run(org, line.seq, JSON.stringify(line));
  }

  trail(org: string, from: number, most: number): AuditLine[] {
    return this.#trail.all(org, from, most).map(auditLineOf);
  }
}
