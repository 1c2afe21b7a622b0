import type { Host } from '../support/host.ts';
import type { CollectorDefinition } from './collector.ts';
import { conntrack } from './conntrack.ts';
import { cpu } from './cpu.ts';
import { disk } from './disk.ts';
import { entropy } from './entropy.ts';
import { filefd } from './filefd.ts';
import { filesystem } from './filesystem.ts';
import { load } from './load.ts';
import { memory } from './memory.ts';
import { network } from './network.ts';
import { PORTABLE } from './portable.ts';
import { pressure } from './pressure.ts';
import { processes } from './processes.ts';
import { sockets } from './sockets.ts';
import { swap } from './swap.ts';
import { system } from './system.ts';
import { thermal } from './thermal.ts';
import { vmstat } from './vmstat.ts';

/** Every collector of Linux, in the order in which they run and are shown. The inventory is none: it is not periodic (inventory.ts). */
export const COLLECTORS: readonly CollectorDefinition[] = [
  cpu,
  load,
  memory,
  swap,
  pressure,
  filesystem,
  disk,
  network,
  sockets,
  processes,
  filefd,
  system,
  vmstat,
  conntrack,
  entropy,
  thermal,
];

/** The collectors that this host can have. */
export function definitionsFor(host: Host): readonly CollectorDefinition[] {
  return host.platform === 'linux' ? COLLECTORS : PORTABLE;
}
