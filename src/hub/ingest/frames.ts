/*
 * Where the frames of zstd data begin and end, told from their headers alone (RFC 8878, section 3.1): nothing is
 * decompressed. A batch is the agents' frames end to end, so the hub keeps each as it came and packs nothing again.
 */

const MAGIC = 0xfd2fb528;
const SKIPPABLE_LEAST = 0x184d2a50;
const SKIPPABLE_MOST = 0x184d2a5f;
/** Bytes of the dictionary id and of the content size, by the flags of the frame header descriptor (3.1.1.1.1). */
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const BLOCK_RLE = 1;

export interface Frame {
  start: number;
  end: number;
  /** Bytes it decompresses to, when its header says so. */
  contentSize: number | undefined;
}

/** The frames in `data`, skippable ones left out; undefined when it is not made of whole frames. */
export function framesOf(data: Buffer): Frame[] | undefined {
  const frames: Frame[] = [];
  for (let at = 0; at < data.length; ) {
    if (at + 8 > data.length) return undefined;
    const magic = data.readUInt32LE(at);
    if (magic >= SKIPPABLE_LEAST && magic <= SKIPPABLE_MOST) {
      at += 8 + data.readUInt32LE(at + 4);
      if (at > data.length) return undefined;
      continue;
    }
    const frame = magic === MAGIC ? frameAt(data, at) : undefined;
    if (!frame) return undefined;
    frames.push(frame);
    at = frame.end;
  }
  return frames;
}

function frameAt(data: Buffer, start: number): Frame | undefined {
  const descriptor = data[start + 4] as number;
  const single = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && single ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] as number);
  const sizeAt = start + 5 + (single ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] as number);
  const end = endOfBlocks(data, sizeAt + sizeBytes);
  if (end === undefined) return undefined;
  const withChecksum = end + ((descriptor & 0x04) !== 0 ? 4 : 0);
  if (withChecksum > data.length) return undefined;
  return { start, end: withChecksum, contentSize: contentSize(data, sizeAt, sizeBytes) };
}

function endOfBlocks(data: Buffer, first: number): number | undefined {
  for (let at = first; at + 3 <= data.length; ) {
    const header = data.readUIntLE(at, 3);
    at += 3 + (((header >> 1) & 3) === BLOCK_RLE ? 1 : header >> 3);
    if (at > data.length) return undefined;
    if ((header & 1) !== 0) return at;
  }
  return undefined;
}

function contentSize(data: Buffer, at: number, bytes: number): number | undefined {
  if (bytes === 0) return undefined;
  if (bytes === 8) return Number(data.readBigUInt64LE(at));
  // Two bytes count from 256, for a smaller size has a field of one byte (3.1.1.1.4).
  return data.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}
