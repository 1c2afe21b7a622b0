import { crc32, deflateRawSync } from 'node:zlib';

/** A file of an archive. */
export interface Entry {
  /** With slashes between its parts. */
  path: string;
  content: Uint8Array;
}

const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const DEFLATED = 8;
const VERSION = 20;
/** Names are UTF-8. */
const FLAGS = 0x0800;

/**
 * A ZIP archive (APPNOTE.TXT of PKWARE, version 2.0), the same bytes for the same entries; `date` in seconds since 1970 is
 * the time that all files bear. Throws RangeError where it would need more than 4 GiB or 65,535 files.
 */
export function zip(entries: readonly Entry[], date: number, level = 9): Buffer {
  if (entries.length > 0xffff) throw new RangeError('too many files for a ZIP archive');
  const [day, time] = dosTime(date);
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { path, content } of entries) {
    const name = Buffer.from(path);
    const packed = deflateRawSync(content, { level });
    const common = numbers(
      [VERSION, 2],
      [FLAGS, 2],
      [DEFLATED, 2],
      [time, 2],
      [day, 2],
      [crc32(content), 4],
      [packed.length, 4],
      [content.length, 4],
      [name.length, 2],
      [0, 2],
    );
    const local = Buffer.concat([numbers([LOCAL, 4]), common, name]);
    // No comment, first disk, no attributes.
    directory.push(
      Buffer.concat([numbers([CENTRAL, 4], [VERSION, 2]), common, numbers([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), name]),
    );
    parts.push(local, packed);
    offset += local.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = numbers([END, 4], [0, 2], [0, 2], [entries.length, 2], [entries.length, 2], [central.length, 4], [offset, 4], [0, 2]);
  return Buffer.concat([...parts, central, end]);
}

/** Numbers of so many bytes each, the low byte first. */
function numbers(...fields: [value: number, bytes: number][]): Buffer {
  const buffer = Buffer.alloc(fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [value, bytes] of fields) at = buffer.writeUIntLE(value, at, bytes);
  return buffer;
}

/** Day and time as MS-DOS counts them: from 1980, in steps of 2 s; UTC. */
function dosTime(seconds: number): [day: number, time: number] {
  const at = new Date(Math.max(seconds, 315_532_800) * 1_000);
  const day = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  return [day, (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1)];
}

/** What the files of an archive that `zip` made take once they are unpacked, in bytes. */
export function unpackedSize(archive: Buffer): number {
  let at = archive.readUInt32LE(archive.length - 6);
  let sum = 0;
  for (; archive.readUInt32LE(at) === CENTRAL; at += 46 + archive.readUInt16LE(at + 28)) sum += archive.readUInt32LE(at + 24);
  return sum;
}
