import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** What an outbox does all the time, prepared once. */
export interface Statements {
  insert: StatementSync;
  meta: StatementSync;
  read: StatementSync;
  cursor: StatementSync;
  drop: StatementSync;
}

export function prepareStatements(db: DatabaseSync): Statements {
  return {
    insert: db.prepare('INSERT INTO heartbeats (position, instance, sequence, time, frame) VALUES (?, ?, ?, ?, ?)'),
    meta: db.prepare('INSERT OR REPLACE INTO meta (id, instance, sequence, position, machine, open, born) VALUES (1, ?, ?, ?, ?, ?, ?)'),
    read: db.prepare('SELECT position, instance, sequence, time, frame FROM heartbeats WHERE position > ? ORDER BY position LIMIT ?'),
    cursor: db.prepare('INSERT OR REPLACE INTO cursors (name, position) VALUES (?, ?)'),
    drop: db.prepare('DELETE FROM heartbeats WHERE position <= ?'),
  };
}
