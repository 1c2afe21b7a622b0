import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { walIsCutShort } from './wal.ts';

/** Version of the tables, in the file's user_version. */
export const SCHEMA_VERSION = 1;

/*
 * One row of `meta` holds all counters, so that a number is taken in the same transaction that stores its heartbeat.
 * Positions count rows of this file; they are contiguous from the oldest row to `position` - 1, whatever instance and
 * sequence the rows carry (salvaged ones keep theirs).
 */
const SCHEMA = `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    instance TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL,
    machine TEXT,
    open INTEGER NOT NULL,
    born TEXT
  ) STRICT;
  CREATE TABLE heartbeats (
    position INTEGER PRIMARY KEY,
    instance TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    frame BLOB NOT NULL
  ) STRICT;
  CREATE TABLE cursors (name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE losses (
    reason TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    from_time INTEGER NOT NULL,
    to_time INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/* A log of at most 1 MiB, and a cache of 24 pages: rows are written once and read once, there is nothing to cache. */
const PRAGMAS = 'PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 256; PRAGMA journal_size_limit = 1048576; PRAGMA cache_size = -96';

export interface Opened {
  db: DatabaseSync;
  /** The file had no tables yet. */
  fresh: boolean;
  /** A part of the write-ahead log that had been written is missing: what the tables say may be older than what was sent. */
  rolledBack: boolean;
  /** When the file was made, as its file system tells (ns since the epoch); null where it does not. */
  born: string | null;
}

/** Opens the file at `path` (or `:memory:`), making it and its tables where there are none. Throws SQLite's errors. */
export function openDatabase(path: string): Opened {
  const onDisk = path !== ':memory:';
  const walThere = onDisk && existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0;
  // SQLite gives the files beside it the mode of this one.
  if (onDisk) closeSync(openSync(path, 'a', 0o600));
  const db = new DatabaseSync(path, { timeout: 250 });
  try {
    const fresh = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined;
    // Looked at before anything is written: SQLite would begin a new log over a damaged one.
    const rolledBack = onDisk && !fresh && (!walThere || walIsCutShort(db, `${path}-wal`));
    if (fresh) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec(PRAGMAS);
    if (onDisk) db.exec('PRAGMA journal_mode = WAL');
    if (fresh) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
    // A column more, which an older agent does not miss.
    else if (!hasBorn(db)) db.exec('ALTER TABLE meta ADD COLUMN born TEXT');
    return { db, fresh, rolledBack, born: onDisk ? bornAt(path, fresh) : null };
  } catch (error) {
    db.close();
    throw error;
  }
}

const hasBorn = (db: DatabaseSync): boolean =>
  db.prepare("SELECT 1 FROM pragma_table_info('meta') WHERE name = 'born'").get() !== undefined;

/** A file system that does not note it has another time in its place (as libuv and Wine fill it in), which grows. */
function bornAt(path: string, fresh: boolean): string | null {
  const { birthtimeNs, ctimeNs, mtimeNs } = statSync(path, { bigint: true });
  if (birthtimeNs <= 0n || (!fresh && (birthtimeNs === ctimeNs || birthtimeNs === mtimeNs))) return null;
  return String(birthtimeNs);
}
