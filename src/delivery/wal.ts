import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

const HEADER = 32;
const FRAME_HEADER = 24;

/**
 * Whether the write-ahead log holds a transaction, in its current generation, that SQLite did not take from it: then
 * something that had been committed was damaged. Frames without the end of their transaction are what a crash leaves of
 * one that was never acknowledged, and mean nothing. (A crash between the header and the page of a last frame cannot be
 * told from damage, and counts as that: it costs a new instance, and no heartbeat.) `db` must be open on the file beside it, and must not have written
 * yet. Layout: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
export function walIsCutShort(db: DatabaseSync, path: string): boolean {
  const taken = (db.prepare('PRAGMA wal_checkpoint(NOOP)').get() as { log: number }).log;
  const file = openSync(path, 'r');
  try {
    const header = Buffer.alloc(HEADER);
    if (readSync(file, header, 0, HEADER, 0) < HEADER || !isSound(header)) return true;
    const step = FRAME_HEADER + header.readUInt32BE(8);
    const salts = header.subarray(16, 24);
    const frame = Buffer.alloc(FRAME_HEADER);
    const { size } = fstatSync(file);
    // Frames of a generation carry the salts of the header; what older ones left behind carries others. The last frame
    // of a transaction, which is written last, carries the size of the database after it.
    for (let at = HEADER + Math.max(0, taken) * step; at + step <= size && readSync(file, frame, 0, FRAME_HEADER, at); at += step)
      if (frame.subarray(8, 16).equals(salts) && frame.readUInt32BE(4) !== 0) return true;
    return false;
  } finally {
    closeSync(file);
  }
}

/** Whether a log's header has the checksum that it names; SQLite passes over the whole log where it has not. */
function isSound(header: Buffer): boolean {
  const little = header.readUInt32BE(0) === 0x377f0682;
  let [first, second] = [0, 0];
  for (let at = 0; at < 24; at += 8) {
    const word = (offset: number) => (little ? header.readUInt32LE(offset) : header.readUInt32BE(offset));
    first = (first + word(at) + second) >>> 0;
    second = (second + word(at + 4) + first) >>> 0;
  }
  return first === header.readUInt32BE(24) && second === header.readUInt32BE(28);
}
