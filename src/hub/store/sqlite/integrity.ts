import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { detailOf, ScoutError } from '../../../support/errors.ts';

/** A database up to this size, in bytes, is read whole; of a larger one the tables without which there is no hub. */
const WHOLE_BYTES = 256 * 1_048_576;
/** The tables that grow with the heartbeats. A damaged page in one of them costs heartbeats, and no keys. */
const LARGE = new Set(['heartbeats', 'rollups']);
/** SQLITE_CORRUPT and SQLITE_NOTADB, the low byte of a code. */
const DAMAGED = new Set([11, 26]);
const BUSY_MS = 5_000;

/**
 * Reads the database of a data folder and changes nothing, before anything else is done with it. Throws
 * HUB_DATA_DAMAGED. One that is not there yet is whole.
 */
export function checkDatabase(folder: string): void {
  const path = join(folder, 'hub.db');
  if (!existsSync(path) || statSync(path).size === 0) return;
  checkFile(path, statSync(path).size <= WHOLE_BYTES);
}

/** Checks one file; `whole`: all of it. Throws HUB_DATA_DAMAGED, and HUB_DATA where it cannot be opened at all. */
export function checkFile(path: string, whole: boolean): void {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
    const fault = faultOf(database, whole);
    if (fault !== undefined) throw damaged(path, fault);
  } catch (error) {
    throw sqliteFault(path, error);
  } finally {
    database?.close();
  }
}

/** What SQLite threw over a database: HUB_DATA_DAMAGED for damage, HUB_DATA for the rest; ours stay as they are. */
export function sqliteFault(path: string, error: unknown): ScoutError {
  if (error instanceof ScoutError) return error;
  const { errcode } = error as { errcode?: number };
  if (errcode !== undefined && DAMAGED.has(errcode & 0xff)) return damaged(path, detailOf(error), error);
  return new ScoutError('HUB_DATA', { path, detail: detailOf(error) }, {}, { cause: error });
}

function faultOf(database: DatabaseSync, whole: boolean): string | undefined {
  const tables = database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`).all();
  const names = tables.map((row) => String(row.name)).filter((name) => !LARGE.has(name));
  const checks = whole ? ['PRAGMA quick_check(1)'] : names.map((name) => `PRAGMA quick_check('${name}')`);
  for (const check of checks) {
    const found = String(database.prepare(check).get()?.quick_check ?? '');
    // SQLite's own words may be several lines.
    if (found !== 'ok') return found.split('\n').filter((line) => !line.startsWith('***'))[0] ?? found;
  }
  return undefined;
}

const damaged = (path: string, detail: string, cause?: unknown): ScoutError =>
  new ScoutError('HUB_DATA_DAMAGED', { path, detail }, {}, { cause });
