import { field } from './scan.ts';

/** Counters of /proc/vmstat by the kernel's names, those in `wanted` only: the file has some 200. */
export function parseVmstat(text: string, wanted: readonly string[]): Record<string, number | undefined> {
  const found: Record<string, number | undefined> = {};
  for (const name of wanted) found[name] = field(text, `${name} `);
  return found;
}
