import { lineEnd, numbersBetween, words } from './scan.ts';

/** Counters of one protocol by the kernel's names: `RetransSegs`, `ListenDrops`. */
export type Counters = Record<string, number | undefined>;

/**
 * One protocol of /proc/net/snmp or /proc/net/netstat, where a line of names is followed by a line of values, both
 * opened by `Tcp:`. Empty when the text has no such pair.
 */
export function parseNetSnmp(text: string, protocol: string): Counters {
  const head = `${protocol}: `;
  const names = text.startsWith(head) ? 0 : text.indexOf(`\n${head}`) + 1;
  if (names === 0 && !text.startsWith(head)) return {};
  const values = lineEnd(text, names) + 1;
  if (!text.startsWith(head, values)) return {};
  const numbers = numbersBetween(text, values + head.length, lineEnd(text, values));
  const found: Counters = {};
  words(text, names + head.length, values - 1).forEach((name, index) => {
    found[name] = numbers[index];
  });
  return found;
}

/** Chosen counters of /proc/net/snmp6, where each line is a name and a value. */
export function parseNetSnmp6(text: string, prefix: string): Counters {
  const found: Counters = {};
  for (const [, name, value] of text.matchAll(new RegExp(`^${prefix}(\\w+)\\s+(\\d+)`, 'gm'))) found[name as string] = Number(value);
  return found;
}
