import type { DatabaseSync } from 'node:sqlite';

/** Runs `work` in one write transaction, undone as a whole when it throws. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  // IMMEDIATE takes the lock at the start, where SQLite waits for others; a later upgrade would fail at once.
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
