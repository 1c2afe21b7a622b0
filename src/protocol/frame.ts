import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { DICTIONARY } from './dictionary.ts';
import { BODY_MAX_BYTES, HEARTBEAT_MAX_BYTES } from './wire.ts';

/** The level at which the curve bends: a tenth smaller than 3 for hundredths of a millisecond; 9 takes four times as long. */
const LEVEL = 6;

/** A frame may ask for a window no larger than the largest body: a header of a few bytes must not claim gigabytes. */
const WINDOW_LOG_MAX = Math.log2(BODY_MAX_BYTES);

/**
 * Packs one heartbeat's JSON as it is stored and sent: a line in a zstd frame of its own, with its checksum, against
 * the dictionary for heartbeats, which the frame names. That halves it: most of a heartbeat is names.
 */
export function pack(json: string): Uint8Array {
  const line = Buffer.from(`${json}\n`);
  return zstdCompressSync(line, {
    dictionary: DICTIONARY,
    // Told the size, zstd takes tables that fit it; otherwise it takes megabytes for a few kilobytes.
    pledgedSrcSize: line.length,
    // Node sets aside 16 KiB for the output otherwise, for each heartbeat anew.
    chunkSize: Math.max(1_024, line.length >> 2),
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
}

/**
 * Decompresses one frame or several end to end, whether they name the dictionary for heartbeats or none. Throws what
 * node:zlib says: ERR_BUFFER_TOO_LARGE beyond `most` bytes, ZSTD_error_checksum_wrong for a damaged frame,
 * ZSTD_error_dictionary_wrong for another dictionary.
 */
export function unpack(frames: Uint8Array, most = HEARTBEAT_MAX_BYTES): Buffer {
  return zstdDecompressSync(frames, {
    dictionary: DICTIONARY,
    maxOutputLength: most,
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  });
}
