import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** What an outbox does all the time, prepared once. */
export interface Statements {
  begin: StatementSync;
  commit: StatementSync;
  insert: StatementSync;
  meta: StatementSync;
  read: StatementSync;
  cursor: StatementSync;
  drop: StatementSync;
}

export function prepareStatements(db: DatabaseSync): Statements {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    insert: db.prepare('INSERT INTO heartbeats (position, instance, sequence, time, frame) VALUES (?, ?, ?, ?, ?)'),
    meta: db.prepare('INSERT OR REPLACE INTO meta (id, instance, sequence, position, machine, open, born) VALUES (1, ?, ?, ?, ?, ?, ?)'),
    // With no LIMIT: SQLite would plan anew for each number that is bound to one.
    read: db.prepare('SELECT position, instance, sequence, time, frame FROM heartbeats WHERE position > ? ORDER BY position'),
    cursor: db.prepare('INSERT OR REPLACE INTO cursors (name, position) VALUES (?, ?)'),
    drop: db.prepare('DELETE FROM heartbeats WHERE position <= ?'),
  };
}

/** Does some work in one transaction, and takes all of it back when it throws, or cannot be committed. */
export function transaction(db: DatabaseSync, { begin, commit }: Pick<Statements, 'begin' | 'commit'>, work: () => void): void {
  begin.run();
  try {
    work();
    commit.run();
  } catch (error) {
    // SQLite has already rolled back after some faults (a full disk, an I/O error).
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
