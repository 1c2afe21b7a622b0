import { field, lineEnd, words } from './scan.ts';

/** Counters of one protocol by the kernel's names: `RetransSegs`, `ListenDrops`. */
export type Counters = Record<string, number | undefined>;

/**
 * Counters of one protocol in /proc/net/snmp or /proc/net/netstat, where a line of names is followed by a line of
 * values, both opened by `Tcp:`. Empty when the text has no such pair.
 */
export function parseNetSnmp(text: string, protocol: string, wanted: readonly string[]): Counters {
  const head = `${protocol}: `;
  const names = text.startsWith(head) ? 0 : text.indexOf(`\n${head}`) + 1;
  if (names === 0 && !text.startsWith(head)) return {};
  const values = lineEnd(text, names) + 1;
  if (!text.startsWith(head, values)) return {};
  const columns = words(text, names, values - 1);
  const cells = words(text, values, lineEnd(text, values));
  const found: Counters = {};
  for (const name of wanted) {
    const value = Number(cells[columns.indexOf(name)]);
    if (!Number.isNaN(value)) found[name] = value;
  }
  return found;
}

/** Counters of one protocol in /proc/net/snmp6, where each line is a name, opened by `protocol`, and a value. */
export function parseNetSnmp6(text: string, protocol: string, wanted: readonly string[]): Counters {
  const found: Counters = {};
  for (const name of wanted) found[name] = field(text, `${protocol}${name} `);
  return found;
}
