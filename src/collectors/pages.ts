import { readFileSync } from 'node:fs';
import { parsePageSize } from '../procfs/auxv.ts';
import type { Host } from '../support/host.ts';

/** Bytes of a page of memory, in which the kernel counts residents and socket buffers; 4096 where it does not tell. */
export function pageSize(host: Host): number {
  try {
    return parsePageSize(readFileSync(`${host.proc}/self/auxv`)) ?? 4_096;
  } catch {
    return 4_096;
  }
}
