import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { detailOf, ScoutError } from './errors.ts';

/** Makes a folder, and those above it that are missing, open to its owner and to be read by its group. Throws FILE_UNWRITABLE. */
export function ensureFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    const cause = causeOf(path) ?? error;
    const detail = (cause as NodeJS.ErrnoException).code === 'EEXIST' ? 'a file of that name is in the way' : detailOf(cause);
    throw new ScoutError('FILE_UNWRITABLE', { path, detail }, {}, { cause });
  }
}

/** What the kernel says of the first folder that is missing: made along with others, Node calls a read-only file system ENOENT. */
function causeOf(path: string): unknown {
  let missing = path;
  while (!existsSync(dirname(missing)) && dirname(missing) !== missing) missing = dirname(missing);
  try {
    mkdirSync(missing, { mode: 0o750 });
    return undefined;
  } catch (error) {
    return error;
  }
}
