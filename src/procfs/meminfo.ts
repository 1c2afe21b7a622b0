import { field } from './scan.ts';

/** The fields that are read, by their kernel names (proc_meminfo(5)): kibibytes, then pages. */
const SIZES = [
  'MemTotal',
  'MemFree',
  'MemAvailable',
  'Buffers',
  'Cached',
  'Active',
  'Inactive',
  'Mlocked',
  'Dirty',
  'Writeback',
  'AnonPages',
  'Mapped',
  'Shmem',
  'SReclaimable',
  'SUnreclaim',
  'KernelStack',
  'PageTables',
  'CommitLimit',
  'Committed_AS',
  'VmallocUsed',
  'Percpu',
  'HardwareCorrupted',
  'AnonHugePages',
  'Hugepagesize',
] as const;
const PAGES = ['HugePages_Total', 'HugePages_Free', 'HugePages_Rsvd', 'HugePages_Surp'] as const;

/** Bytes, or pages for `HugePages_*`; undefined what this kernel does not have. */
export type Meminfo = Partial<Record<(typeof SIZES)[number] | (typeof PAGES)[number], number | undefined>>;

/** /proc/meminfo. */
export function parseMeminfo(text: string): Meminfo {
  const found: Meminfo = {};
  for (const name of SIZES) {
    const value = field(text, `${name}:`);
    if (value !== undefined) found[name] = value * 1_024;
  }
  for (const name of PAGES) found[name] = field(text, `${name}:`);
  return found;
}
