import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { detailOf, ScoutError } from '../../../support/errors.ts';
import type { Place } from '../open.ts';
import { checkDatabase, checkFile, sqliteFault } from '../sqlite/integrity.ts';
import { migrate } from '../sqlite/migrations.ts';
import { createFile, openDatabase } from '../sqlite/open.ts';
import { publish } from '../sqlite/publish.ts';
import type { Manner, Source, Target } from './side.ts';
import { SqliteSource, SqliteTarget } from './sqlite-side.ts';

/** SQLITE_BUSY, the low byte of a code. */
const BUSY = 5;
/** A copy under way, or what a process that was killed left of one. */
const TEMPORARY = /^\.hub\.db\.copy-[0-9a-f]{12}$/;

/**
 * Runs `work` with the database of a data folder; nobody else has it open meanwhile. Throws HUB_COPY_NONE,
 * HUB_COPY_BUSY, HUB_DATA, HUB_DATA_NEWER, HUB_DATA_DAMAGED.
 */
export async function asSource<T>({ data }: Place, { patienceMs }: Manner, work: (source: Source) => Promise<T>): Promise<T> {
  const path = join(data, 'hub.db');
  if (!existsSync(path)) throw new ScoutError('HUB_COPY_NONE', { place: data });
  const database = opened(data);
  try {
    database.exec(`PRAGMA busy_timeout = ${Math.round(patienceMs)}`);
    useAlone(database, data, path);
    return await work(new SqliteSource(database, data, path));
  } finally {
    database.close();
  }
}

function opened(data: string): DatabaseSync {
  try {
    checkDatabase(data);
    return openDatabase(data);
  } catch (error) {
    // Another copy is alone with it.
    if (isBusy((error as Error).cause)) throw new ScoutError('HUB_COPY_BUSY', { place: data });
    throw error;
  }
}

/**
 * Runs `work` with a new database for a data folder. It is `hub.db` once `work` is done and all of it is checked and on
 * disk; else nothing of it stays. Throws HUB_COPY_NOT_EMPTY, HUB_DATA.
 */
export async function asTarget<T>({ data }: Place, _: Manner, work: (target: Target) => Promise<T>): Promise<T> {
  const path = join(data, 'hub.db');
  const temporary = join(data, `.hub.db.copy-${randomBytes(6).toString('hex')}`);
  let database: DatabaseSync | undefined;
  try {
    database = kept(path, () => begin(data, temporary));
    const target = new SqliteTarget(database, data, temporary);
    target.begin();
    const result = await work(target);
    const filled = database;
    kept(path, () => {
      filled.exec('COMMIT');
      filled.close();
      checkFile(temporary, true);
      refuseOthers(data);
      publish(temporary, path);
    });
    return result;
  } finally {
    if (database?.isOpen) database.close();
    rmSync(temporary, { force: true });
  }
}

/** A folder's own database, or what belongs to one: a journal would be taken for the new one's. Throws HUB_COPY_NOT_EMPTY. */
function refuseOthers(data: string): void {
  const there = ['hub.db', 'hub.db-wal', 'hub.db-journal'].find((name) => existsSync(join(data, name)));
  if (there !== undefined) throw new ScoutError('HUB_COPY_NOT_EMPTY', { place: data, detail: `it has a ${there}` });
}

function begin(data: string, temporary: string): DatabaseSync {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  refuseOthers(data);
  for (const name of readdirSync(data)) if (TEMPORARY.test(name) && !inUse(join(data, name))) rmSync(join(data, name), { force: true });
  createFile(temporary, data);
  const database = new DatabaseSync(temporary, { enableForeignKeyConstraints: true });
  try {
    // Nothing of it outlives a failure, so it is brought to disk once, at the end.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536');
    migrate(database);
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Keeps every other process out until the database is closed: whoever has it open holds a lock on it. Throws HUB_COPY_BUSY. */
function useAlone(database: DatabaseSync, data: string, path: string): void {
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE');
  } catch (error) {
    if (isBusy(error)) throw new ScoutError('HUB_COPY_BUSY', { place: data });
    throw sqliteFault(path, error);
  }
}

/** Whether a process works on a database file; one that is damaged, as a copy may be that broke off, is nobody's. */
function inUse(path: string): boolean {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return false;
  } catch (error) {
    return isBusy(error);
  } finally {
    database.close();
  }
}

/** Throws HUB_DATA for what the kernel or SQLite has against it. */
function kept<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new ScoutError('HUB_COPY_NOT_EMPTY', { place: path, detail: detailOf(error) });
    throw sqliteFault(path, error);
  }
}

const isBusy = (error: unknown): boolean => ((error as { errcode?: number } | undefined)?.errcode ?? 0) % 256 === BUSY;
