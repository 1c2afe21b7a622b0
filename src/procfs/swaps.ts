import { eachLine, words } from './scan.ts';

/** One swap area of /proc/swaps, sizes in bytes. */
export interface Swap {
  device: string;
  size: number;
  used: number;
}

/** /proc/swaps (proc_swaps(5)); blanks in names are written as octal there. */
export function parseSwaps(text: string): Swap[] {
  const found: Swap[] = [];
  eachLine(text, (from, to) => {
    const [device, , size, used] = words(text, from, to);
    if (!device?.startsWith('/') || !/^\d+$/.test(size ?? '') || !/^\d+$/.test(used ?? '')) return;
    found.push({ device: device.replace(/\\040/g, ' '), size: Number(size) * 1_024, used: Number(used) * 1_024 });
  });
  return found;
}
