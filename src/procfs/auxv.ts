const AT_PAGESZ = 6;

/** Bytes of a page of memory, from /proc/self/auxv of a 64-bit little-endian machine (getauxval(3)); undefined when it is not told. */
export function parsePageSize(auxv: Buffer): number | undefined {
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (auxv.readUInt32LE(at) === AT_PAGESZ && auxv.readUInt32LE(at + 4) === 0) return auxv.readUInt32LE(at + 8);
  }
  return undefined;
}
