import { constants, zstdDecompressSync } from 'node:zlib';
import { DICTIONARY } from '../protocol/dictionary.ts';
import { BODY_MAX_BYTES } from '../protocol/wire.ts';

/** A frame may ask for a window no larger than the largest body: a header of a few bytes must not claim gigabytes. */
const WINDOW_LOG_MAX = Math.log2(BODY_MAX_BYTES);

/**
 * Decompresses one frame or several end to end, whether they name the dictionary for heartbeats or none. Throws what
 * node:zlib says: ERR_BUFFER_TOO_LARGE beyond `most` bytes, ZSTD_error_dictionary_wrong for another dictionary.
 */
export function unpack(frames: Uint8Array, most: number): Buffer {
  return zstdDecompressSync(frames, {
    dictionary: DICTIONARY,
    maxOutputLength: most,
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  });
}
