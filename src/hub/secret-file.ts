import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { detailOf, ScoutError } from '../support/errors.ts';

const MOST_BYTES = 65_536;

/** Reads a file that holds a secret. Throws HUB_SECRET_FILE when it cannot be read, or others can read it too. */
export function readSecretFile(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { mode, size } = fstatSync(file);
    if (process.platform !== 'win32' && (mode & 0o007) !== 0) throw secretFile(path, 'others can read it');
    if (size > MOST_BYTES) throw secretFile(path, 'it is far larger than a secret');
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw error instanceof ScoutError ? error : secretFile(path, detailOf(error));
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** HUB_SECRET_FILE; `detail` never quotes what the file holds. */
export function secretFile(path: string, detail: string): ScoutError {
  return new ScoutError('HUB_SECRET_FILE', { path, detail });
}
