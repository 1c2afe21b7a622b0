import { eachLine, words } from './scan.ts';

/** `TCP` → { inuse: 5, orphan: 0, tw: 3, alloc: 9, mem: 1 }; `mem` is pages, `memory` (FRAG) is bytes. */
export type Sockstat = Record<string, Record<string, number> | undefined>;

/** /proc/net/sockstat and sockstat6. */
export function parseSockstat(text: string): Sockstat {
  const found: Sockstat = {};
  eachLine(text, (from, to) => {
    const colon = text.indexOf(':', from);
    if (colon < 0 || colon > to) return;
    const parts = words(text, colon + 1, to);
    const counts: Record<string, number> = {};
    for (let at = 0; at + 1 < parts.length; at += 2) {
      const value = Number(parts[at + 1]);
      if (Number.isFinite(value)) counts[parts[at] as string] = value;
    }
    found[text.slice(from, colon)] = counts;
  });
  return found;
}
