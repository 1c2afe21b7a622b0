import { closeSync, openSync, readSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

const HEADER = 32;
const FRAME_HEADER = 24;

/**
 * Whether the write-ahead log goes on, in its current generation, past what SQLite took from it: then something that
 * had been written there was damaged (or a crash tore the last transaction, which looks the same and is treated alike).
 * Layout: https://www.sqlite.org/fileformat2.html#the_write_ahead_log. `db` must be open on the file beside it.
 */
export function walIsCutShort(db: DatabaseSync, path: string): boolean {
  const state = db.prepare('PRAGMA wal_checkpoint(NOOP)').get() as { log: number };
  const file = openSync(path, 'r');
  try {
    const header = Buffer.alloc(HEADER);
    if (readSync(file, header, 0, HEADER, 0) < HEADER) return true;
    const pageSize = header.readUInt32BE(8);
    const next = Buffer.alloc(FRAME_HEADER);
    const at = HEADER + Math.max(0, state.log) * (FRAME_HEADER + pageSize);
    if (readSync(file, next, 0, FRAME_HEADER, at) < FRAME_HEADER) return false;
    // Frames of a generation carry the salts of the header; older leftovers carry others.
    return next.subarray(8, 16).equals(header.subarray(16, 24));
  } finally {
    closeSync(file);
  }
}
