import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Replaces a file in one step and durably: after a crash at any moment it holds either its old content or the new.
 * The temporary file lies in the same folder, so both are on one file system. Throws what the kernel says; then the
 * old file stands and nothing is left behind. `owner`: whose it shall be, when root writes for another.
 */
export function writeAtomically(path: string, content: string | Uint8Array, mode = 0o600, owner?: { uid: number; gid: number }): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  const fd = openSync(temporary, 'wx', mode);
  try {
    try {
      // The umask must not decide who may read it.
      fchmodSync(fd, mode);
      if (owner) fchownSync(fd, owner.uid, owner.gid);
      writeFileSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(folder);
}

/** Makes names that were added to or removed from a folder survive a power loss. */
export function syncFolder(path: string): void {
  // Windows cannot open folders; NTFS journals names by itself.
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
