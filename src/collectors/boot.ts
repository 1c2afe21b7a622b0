import { readFileSync } from 'node:fs';
import os from 'node:os';
import { parseStat } from '../procfs/stat.ts';
import type { Host } from '../support/host.ts';

/** Seconds since the epoch at which the host's counters began; undefined where it does not tell. */
export function readBootTime(host: Host): number | undefined {
  if (host.platform !== 'linux') return Math.round(host.now() / 1_000 - os.uptime());
  try {
    return parseStat(readFileSync(`${host.proc}/stat`, 'latin1')).bootTime;
  } catch {
    return undefined;
  }
}
