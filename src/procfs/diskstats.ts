import { eachLine, numbersBetween, words } from './scan.ts';

/** One device of /proc/diskstats (Documentation/admin-guide/iostats.rst). Times are milliseconds, sectors are 512 bytes. */
export interface Diskstats {
  device: string;
  reads: number;
  readsMerged: number;
  readSectors: number;
  readTime: number;
  writes: number;
  writesMerged: number;
  writtenSectors: number;
  writeTime: number;
  inFlight: number;
  ioTime: number;
  weightedTime: number;
  /** Since 4.18. */
  discard: { operations: number; sectors: number; time: number } | undefined;
  /** Since 5.5. */
  flush: { operations: number; time: number } | undefined;
}

/** /proc/diskstats. Lines of fewer columns (a partition before 2.6.25, a cut text) are left out. */
export function parseDiskstats(text: string): Diskstats[] {
  const found: Diskstats[] = [];
  eachLine(text, (from, to) => {
    const device = words(text, from, Math.min(to, from + 80))[2];
    if (!device) return;
    const start = text.indexOf(` ${device} `, from);
    if (start < 0 || start > to) return;
    const columns = numbersBetween(text, start + device.length + 2, to);
    if (columns.length < 11) return;
    const at = (index: number) => columns[index] as number;
    found.push({
      device,
      reads: at(0),
      readsMerged: at(1),
      readSectors: at(2),
      readTime: at(3),
      writes: at(4),
      writesMerged: at(5),
      writtenSectors: at(6),
      writeTime: at(7),
      inFlight: at(8),
      ioTime: at(9),
      weightedTime: at(10),
      discard: columns.length >= 15 ? { operations: at(11), sectors: at(13), time: at(14) } : undefined,
      flush: columns.length >= 17 ? { operations: at(15), time: at(16) } : undefined,
    });
  });
  return found;
}
