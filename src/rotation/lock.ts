import { join } from 'node:path';
import { ScoutError } from '../support/errors.ts';
import { FileLock } from '../support/file-lock.ts';

const PATIENCE_MS = 200;

/** One rotation per state folder; it ends with its process. */
export class RotationLock {
  readonly #folder: string;
  readonly #lock: FileLock;

  /** `folder` must exist. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#lock = new FileLock(join(folder, 'rotate.lock'));
  }

  /** Takes the lock. Throws ROTATE_BUSY when another process has it, FILE_UNWRITABLE. */
  acquire(): void {
    if (this.#lock.acquire(PATIENCE_MS)) return;
    throw new ScoutError('ROTATE_BUSY', { pid: this.#lock.holder() ?? 'unknown', path: this.#folder });
  }

  /** Lets go of it. */
  release(): void {
    this.#lock.release();
  }
}
