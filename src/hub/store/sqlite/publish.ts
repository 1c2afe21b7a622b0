import { closeSync, fsyncSync, linkSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '../../../support/atomic.ts';

/**
 * Brings a file to disk and gives it its name besides the one that it was written under; both lie in one folder. What has
 * that name already stays. Throws what the kernel says: EEXIST then.
 */
export function publish(temporary: string, path: string): void {
  sync(temporary);
  name(temporary, path);
  syncFolder(dirname(path));
}

function sync(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** link(2) never takes the place of a file that came meanwhile; a file system without links has only the look before. */
function name(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'EMLINK') throw error;
    renameSync(temporary, path);
  }
}
