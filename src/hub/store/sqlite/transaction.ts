import type { DatabaseSync } from 'node:sqlite';
import { type ErrorCode, ScoutError } from '../../../support/errors.ts';

const CONSTRAINT_UNIQUE = 2_067;

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

/**
 * Runs `work`; throws `code` when what it adds stands in `column` already. The index decides, for two programs may
 * look at once, and both find it free.
 */
export function unlessTaken<T>(column: string, code: ErrorCode, parameters: Record<string, string>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { errcode, message } = error as Error & { errcode?: number };
    if (errcode === CONSTRAINT_UNIQUE && message.endsWith(column)) throw new ScoutError(code, parameters, {}, { cause: error });
    throw error;
  }
}
