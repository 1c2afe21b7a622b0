import { eachLine, numberAt } from './scan.ts';

/** Fields of proc_meminfo(5) by their kernel names: bytes, or pages for `HugePages_*`. */
export type Meminfo = Record<string, number | undefined>;

/** /proc/meminfo. */
export function parseMeminfo(text: string): Meminfo {
  const found: Meminfo = {};
  eachLine(text, (from, to) => {
    const colon = text.indexOf(':', from);
    if (colon < 0 || colon > to) return;
    const value = numberAt(text, colon + 1);
    if (Number.isNaN(value)) return;
    found[text.slice(from, colon)] = text.charCodeAt(to - 1) === 66 ? value * 1_024 : value;
  });
  return found;
}
