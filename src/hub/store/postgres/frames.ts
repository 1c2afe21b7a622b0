/**
 * Frames as one value, which the server cuts apart (`substring(bytes FROM stop - length + 1 FOR length)`): a value for
 * each would cost more to write and to read than all the rest of its row.
 */
export function packedFrames(frames: Uint8Array[]): { bytes: Buffer; stops: number[]; lengths: number[] } {
  const lengths = frames.map((frame) => frame.length);
  let stop = 0;
  const stops = lengths.map((length) => {
    stop += length;
    return stop;
  });
  return { bytes: Buffer.concat(frames), stops, lengths };
}
