import { closeSync, constants, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { detailOf, ScoutError } from './errors.ts';
import { asOwner } from './owner.ts';

const SQLITE_BUSY = 5;

/**
 * A lock that ends with its process, whatever ends that. Node has no flock(2), so an SQLite file takes its part: the
 * exclusive transaction holds the kernel's own lock on it. The holder's number lies beside it, for people.
 */
export class FileLock {
  readonly #path: string;
  #database: DatabaseSync | undefined;

  /** The folder of `path` must exist. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Takes it, waiting at most `patience` ms; false when another process has it. Throws FILE_UNWRITABLE. */
  acquire(patience: number): boolean {
    this.#database = open(this.#path, patience);
    if (!this.#database) return false;
    try {
      asOwner(dirname(this.#path), () => writeFileSync(`${this.#path}.pid`, `${process.pid}\n`, { mode: 0o644 }));
    } catch {
      // On a full disk the lock holds all the same; only its holder cannot be named.
    }
    return true;
  }

  /** Lets go of it. */
  release(): void {
    if (!this.#database) return;
    rmSync(`${this.#path}.pid`, { force: true });
    this.#database.close();
    this.#database = undefined;
  }

  /** Whether a process has it now. Throws FILE_UNWRITABLE when that cannot be found out. */
  isHeld(): boolean {
    // Opening it is trying it; nothing is made where nobody ever held it.
    if (!existsSync(this.#path)) return false;
    const database = open(this.#path, 0);
    database?.close();
    return database === undefined;
  }

  /** The number of the process that took it last, when it was written down. */
  holder(): number | undefined {
    try {
      const pid = Number(readFileSync(`${this.#path}.pid`, 'latin1'));
      return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
    } catch {
      return undefined;
    }
  }
}

/** The file with its lock taken; undefined when another process has it. Root opens it as the owner of its folder does. */
function open(path: string, timeout: number): DatabaseSync | undefined {
  try {
    return asOwner(dirname(path), () => begin(path, timeout));
  } catch (error) {
    throw new ScoutError('FILE_UNWRITABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
}

function begin(path: string, timeout: number): DatabaseSync | undefined {
  // A file that may only be read would be opened all the same, and locked for reading.
  closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644));
  const database = new DatabaseSync(path, { timeout });
  try {
    // Nothing is ever stored: no journal on disk, and no page cache to speak of.
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA cache_size = 1; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
}
