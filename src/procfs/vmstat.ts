import { eachLine, numberAt } from './scan.ts';

/** Counters of /proc/vmstat by the kernel's names, those in `wanted` only: the file has some 200. */
export function parseVmstat(text: string, wanted: ReadonlySet<string>): Record<string, number | undefined> {
  const found: Record<string, number | undefined> = {};
  eachLine(text, (from, to) => {
    const gap = text.indexOf(' ', from);
    if (gap < 0 || gap > to) return;
    const name = text.slice(from, gap);
    if (!wanted.has(name)) return;
    const value = numberAt(text, gap);
    if (!Number.isNaN(value)) found[name] = value;
  });
  return found;
}
