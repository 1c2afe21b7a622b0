const [TYPE_NOBITS, FLAG_ALLOC] = [8, 2];
const [HEADER_SECTIONS, HEADER_COUNT, HEADER_NAMES] = [0x28, 0x3c, 0x3e];
const ENTRY = 64;

interface Section {
  name: string;
  entry: Buffer;
  loaded: boolean;
  /** Where its bytes end in the file; 0 when it has none. */
  end: number;
}

/**
 * An ELF program of 64 bits, little endian (elf(5)), without all that is never loaded: symbol tables and debug
 * information. What the dynamic linker needs stays. As strip(1) does it, but for every processor, and the same bytes
 * whichever binutils the building machine has. Throws where the file is laid out otherwise than a linker does.
 */
export function stripped(file: Buffer): Buffer {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error('this is no ELF file of 64 bits, little endian');
  const sections = sectionsOf(file);
  const kept = sections.slice(0, sections.findLastIndex(({ loaded }) => loaded) + 1);
  // References between sections are by number: they hold as long as no number changes.
  if (kept.some(({ loaded }, at) => at > 0 && !loaded)) throw new Error('a section that is not loaded stands before one that is');
  const end = Math.max(...kept.map((one) => one.end), ...segmentEnds(file));
  const names = Buffer.from(`${kept.map(({ name }) => name).join('\0')}\0.shstrtab\0`);
  const table = align(end + names.length);
  const out = Buffer.alloc(table + (kept.length + 1) * ENTRY);
  file.copy(out, 0, 0, end);
  names.copy(out, end);
  let name = 0;
  for (const [at, section] of kept.entries()) {
    section.entry.copy(out, table + at * ENTRY);
    out.writeUInt32LE(name, table + at * ENTRY);
    name += Buffer.byteLength(section.name) + 1;
  }
  const own = table + kept.length * ENTRY;
  out.writeUInt32LE(name, own);
  out.writeUInt32LE(3, own + 4); // SHT_STRTAB
  out.writeBigUInt64LE(BigInt(end), own + 24);
  out.writeBigUInt64LE(BigInt(names.length), own + 32);
  out.writeBigUInt64LE(1n, own + 48);
  out.writeBigUInt64LE(BigInt(table), HEADER_SECTIONS);
  out.writeUInt16LE(kept.length + 1, HEADER_COUNT);
  out.writeUInt16LE(kept.length, HEADER_NAMES);
  return out;
}

function sectionsOf(file: Buffer): Section[] {
  const table = Number(file.readBigUInt64LE(HEADER_SECTIONS));
  const entries = Array.from({ length: file.readUInt16LE(HEADER_COUNT) }, (_, at) => {
    const from = table + at * ENTRY;
    return file.subarray(from, from + ENTRY);
  });
  const offset = (entry: Buffer): number => Number(entry.readBigUInt64LE(24));
  const names = offset(entries[file.readUInt16LE(HEADER_NAMES)] as Buffer);
  return entries.map((entry) => {
    const start = names + entry.readUInt32LE(0);
    return {
      name: file.toString('latin1', start, file.indexOf(0, start)),
      entry,
      loaded: (entry.readBigUInt64LE(8) & BigInt(FLAG_ALLOC)) !== 0n,
      end: [0, TYPE_NOBITS].includes(entry.readUInt32LE(4)) ? 0 : offset(entry) + Number(entry.readBigUInt64LE(32)),
    };
  });
}

/** Where the parts end that a program is loaded by. */
function segmentEnds(file: Buffer): number[] {
  const [table, size, count] = [Number(file.readBigUInt64LE(0x20)), file.readUInt16LE(0x36), file.readUInt16LE(0x38)];
  return Array.from({ length: count }, (_, at) => {
    const from = table + at * size;
    return Number(file.readBigUInt64LE(from + 8) + file.readBigUInt64LE(from + 32));
  });
}

const align = (offset: number): number => (offset + 7) & ~7;
