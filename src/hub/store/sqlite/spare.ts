import { statfsSync } from 'node:fs';

const LEAVE_BYTES = 64 * 1_048_576;
/** On a disk so small that this would be most of it. */
const LEAVE_SHARE = 0.1;

/**
 * Bytes that may still be written where a file lies, until only 64 MiB or a tenth of the disk are left free; negative
 * below that. A disk that is full to the last byte has no room for dropping anything either.
 */
export function spareBytes(path: string): number {
  const { bavail, blocks, bsize } = statfsSync(path);
  return bavail * bsize - Math.min(LEAVE_BYTES, blocks * bsize * LEAVE_SHARE);
}
