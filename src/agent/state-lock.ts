import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { detailOf, ScoutError } from '../support/errors.ts';

const LOCK = 'agent.lock';
const SQLITE_BUSY = 5;
/** Whoever looks whether it is held takes it for an instant: an agent that starts just then outwaits that. */
const PATIENCE_MS = 200;

/**
 * One agent per state folder. Node has no flock(2), so an SQLite file takes its part: the exclusive transaction holds
 * the kernel's own lock on it, which ends with the process, whatever ends that. The holder's number lies beside it,
 * for people.
 */
export class StateLock {
  readonly #folder: string;
  #database: DatabaseSync | undefined;

  /** `folder` must exist. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes the lock. Throws AGENT_RUNNING when another process has it, FILE_UNWRITABLE when the folder is not ours to write. */
  acquire(): void {
    const database = open(join(this.#folder, LOCK), PATIENCE_MS);
    if (!database) throw new ScoutError('AGENT_RUNNING', { pid: holder(this.#folder) ?? 'unknown', path: this.#folder });
    this.#database = database;
    try {
      writeFileSync(pidPath(this.#folder), `${process.pid}\n`, { mode: 0o644 });
    } catch {
      // On a full disk the lock holds all the same; only its holder cannot be named.
    }
  }

  /** Lets go of it. */
  release(): void {
    if (!this.#database) return;
    rmSync(pidPath(this.#folder), { force: true });
    this.#database.close();
    this.#database = undefined;
  }
}

/** Whether a process has the lock of this folder now. Throws FILE_UNWRITABLE when that cannot be found out. */
export function isHeld(folder: string): boolean {
  // Opening it is trying it; nothing is made where no agent ever ran.
  if (!existsSync(join(folder, LOCK))) return false;
  const database = open(join(folder, LOCK), 0);
  database?.close();
  return database === undefined;
}

/** The number of the process that took the lock last, when it was written down. */
export function holder(folder: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidPath(folder), 'latin1'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

const pidPath = (folder: string): string => join(folder, 'agent.lock.pid');

/** The file with its lock taken; undefined when another process has it. */
function open(path: string, timeout: number): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout });
    // Nothing is ever stored: no journal on disk, and no page cache to speak of.
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA cache_size = 1; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw new ScoutError('FILE_UNWRITABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
}
