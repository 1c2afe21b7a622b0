import { readFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';

/**
 * Where the world is touched: the roots that the kernel's files are read from, and the clocks. One object, made at
 * the top and handed down, so that tests and containers run the same code on other roots and other times.
 */
export interface Host {
  /** Root of procfs, `/proc` unless the host is mounted elsewhere (a container). */
  proc: string;
  /** Root of sysfs. */
  sys: string;
  /** Root of the host's file systems, as seen from here. */
  root: string;
  platform: NodeJS.Platform;
  hostname(): string;
  /** Wall clock, milliseconds since the epoch. Reported, never waited on. */
  now(): number;
  /** Monotonic clock in milliseconds; what all waiting and measuring uses. */
  monotonic(): number;
}

/** The host this process runs on. */
export function realHost(roots: { proc?: string; sys?: string; root?: string } = {}): Host {
  return {
    proc: roots.proc ?? '/proc',
    sys: roots.sys ?? '/sys',
    root: roots.root ?? '/',
    platform: process.platform,
    hostname: () => nameBelow(roots.root) ?? os.hostname(),
    now: () => Date.now(),
    // Not performance.now(): that alone loads a dozen modules of Node's.
    monotonic: () => process.uptime() * 1_000,
  };
}

/** The name of a host whose root file system is mounted here; this container has another. Undefined where it has no hostname(5). */
function nameBelow(root = '/'): string | undefined {
  if (root === '/') return undefined;
  try {
    return /^[^\s#]\S*/m.exec(readFileSync(join(root, 'etc/hostname'), 'utf8'))?.[0];
  } catch {
    return undefined;
  }
}
