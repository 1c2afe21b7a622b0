import { closeSync, fchownSync, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { detailOf } from '../../../support/errors.ts';
import { sqliteFault } from './integrity.ts';
import { migrate } from './migrations.ts';

/** How long a statement waits for another process (a CLI verb on the same data) before it fails, in ms. */
const BUSY_MS = 5_000;

/**
 * Opens the hub's database in a data folder, both made when missing, and brings its schema up to date.
 * Throws HUB_DATA when it cannot be used, HUB_DATA_DAMAGED, HUB_DATA_NEWER when a later version wrote it.
 */
export function openDatabase(folder: string): DatabaseSync {
  const path = join(folder, 'hub.db');
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // SQLite gives its journals the mode of the database, so the mode is decided before it creates one.
    createFile(path, folder);
    database = new DatabaseSync(path, { timeout: BUSY_MS, enableForeignKeyConstraints: true });
    database.exec('PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;');
    enterWal(database);
    migrate(database);
    return database;
  } catch (error) {
    database?.close();
    throw sqliteFault(path, error);
  }
}

/** Makes an empty file of mode 0600 in a data folder, which belongs to whom the folder does. Throws what the kernel says. */
export function createFile(path: string, folder: string): void {
  const file = openSync(path, 'a', 0o600);
  try {
    const { uid, gid } = statSync(folder);
    // Root may run a verb before the hub's own user has ever started it: the database belongs to whom the folder does.
    if (process.getuid?.() === 0 && fstatSync(file).size === 0) fchownSync(file, uid, gid);
  } finally {
    closeSync(file);
  }
}

/** Two processes that create the database at once collide here without SQLite's own waiting: the loser asks again. */
function enterWal(database: DatabaseSync): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 0; ; attempt++) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (attempt >= 100 || !/locked|busy/i.test(detailOf(error))) throw error;
      Atomics.wait(pause, 0, 0, 20);
    }
  }
}
