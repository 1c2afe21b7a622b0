import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { type Link, link } from '../../support/chain.ts';
import type { AuditEntry } from '../store.ts';

type Line = AuditEntry & Link;

/** The audit trail in the SQLite store: lines are added, and read as they were hashed. */
export class Audit {
  readonly #last: StatementSync;
  readonly #add: StatementSync;
  readonly #trail: StatementSync;

  constructor(database: DatabaseSync) {
    this.#last = database.prepare('SELECT seq, line FROM audit ORDER BY seq DESC LIMIT 1');
    this.#add = database.prepare('INSERT INTO audit (seq, line) VALUES (?, ?)');
    this.#trail = database.prepare('SELECT seq, line FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?');
  }

  /** Adds a line, if there is one to add. Belongs into the caller's transaction, or two lines would follow the same one. */
  append(entry: AuditEntry | undefined): void {
    if (!entry) return;
    const row = this.#last.get();
    const { at, actor, action, subject, detail, address } = entry;
    const line = link({ at, actor, action, subject, detail, address }, row ? { seq: row.seq as number, hash: lineOf(row).hash } : null);
    this.#add.run(line.seq, JSON.stringify(line));
  }

  trail(from: number, most: number): Line[] {
    return this.#trail.all(from, most).map(lineOf);
  }
}

/** A line that somebody spoilt so far that it cannot be read comes back empty, for whoever walks the chain to find. */
function lineOf(row: Record<string, SQLOutputValue>): Line {
  try {
    const line = JSON.parse(row.line as string) as Line | null;
    if (typeof line?.hash === 'string') return line;
  } catch {}
  return { seq: row.seq as number, at: 0, actor: '', action: '', subject: '', detail: {}, address: null, prev: '', hash: '' };
}
