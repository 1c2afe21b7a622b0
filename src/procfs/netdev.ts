import { eachLine, numbersBetween } from './scan.ts';

interface Traffic {
  bytes: number;
  packets: number;
  errors: number;
  dropped: number;
}

/** One interface of /proc/net/dev. */
export interface Interface {
  name: string;
  receive: Traffic;
  transmit: Traffic;
}

/** /proc/net/dev (proc_pid_net(5)). Its two lines of headings hold no colon and drop out. */
export function parseNetDev(text: string): Interface[] {
  const found: Interface[] = [];
  eachLine(text, (from, to) => {
    // An alias may hold a colon itself (`eth0:1`); the last one ends the name.
    const colon = text.lastIndexOf(':', to);
    if (colon < from) return;
    const columns = numbersBetween(text, colon + 1, to);
    if (columns.length < 16) return;
    const traffic = (at: number): Traffic => ({
      bytes: columns[at] as number,
      packets: columns[at + 1] as number,
      errors: columns[at + 2] as number,
      dropped: columns[at + 3] as number,
    });
    found.push({ name: text.slice(from, colon).trim(), receive: traffic(0), transmit: traffic(8) });
  });
  return found;
}
