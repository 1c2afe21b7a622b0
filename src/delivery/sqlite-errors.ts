import { detailOf } from '../support/errors.ts';

/** What an error of the store calls for: setting the file aside, or writing elsewhere until it works again. */
export type StoreFault = 'damaged' | 'unwritable';

// Primary result codes of faults that are the disk's or another process's, https://www.sqlite.org/rescode.html:
// PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL, NOLFS, AUTH. Any other means that the file is
// not what we wrote.
const UNWRITABLE = [3, 5, 6, 7, 8, 10, 13, 14, 15, 22, 23];

/** Sorts what node:sqlite or node:fs threw; undefined for a fault that is not the store's (a bug of ours). */
export function storeFault(error: unknown): StoreFault | undefined {
  const { code, errcode, syscall } = error as { code?: string; errcode?: number; syscall?: string };
  if (code === 'ERR_SQLITE_ERROR' && errcode !== undefined) return UNWRITABLE.includes(errcode & 0xff) ? 'unwritable' : 'damaged';
  return syscall === undefined ? undefined : 'unwritable';
}

/** SQLite's own words for a fault of the store: `database disk image is malformed`, `database or disk is full`. */
export function storeFaultDetail(error: unknown): string {
  return detailOf(error).replace(/^ERR_SQLITE_ERROR /, '');
}
