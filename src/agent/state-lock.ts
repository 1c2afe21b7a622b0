import { join } from 'node:path';
import { ScoutError } from '../support/errors.ts';
import { FileLock } from '../support/file-lock.ts';

/** Whoever looks whether it is held takes it for an instant: an agent that starts just then outwaits that. */
const PATIENCE_MS = 200;

/** One agent per state folder. */
export class StateLock {
  readonly #folder: string;
  readonly #lock: FileLock;

  /** `folder` must exist. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#lock = lockOf(folder);
  }

  /** Takes the lock. Throws AGENT_RUNNING when another process has it, FILE_UNWRITABLE when the folder is not ours to write. */
  acquire(): void {
    if (this.#lock.acquire(PATIENCE_MS)) return;
    throw new ScoutError('AGENT_RUNNING', { pid: this.#lock.holder() ?? 'unknown', path: this.#folder });
  }

  /** Lets go of it. */
  release(): void {
    this.#lock.release();
  }
}

/** Whether a process has the lock of this folder now. Throws FILE_UNWRITABLE when that cannot be found out. */
export const isHeld = (folder: string): boolean => lockOf(folder).isHeld();

/** The number of the process that took the lock last, when it was written down. */
export const holder = (folder: string): number | undefined => lockOf(folder).holder();

const lockOf = (folder: string): FileLock => new FileLock(join(folder, 'agent.lock'));
