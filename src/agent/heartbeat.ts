import type { Heartbeat, Inventory, Metric } from '../protocol/heartbeat.ts';
import { VERSION } from '../support/version.ts';

/** What one sampling found, before it has its place in an outbox. */
export interface Sampled {
  /** Wall clock, ms since the epoch. */
  time: number;
  /** Milliseconds until the next one is due. */
  interval: number;
  hostName: string;
  /** Seconds since the epoch; undefined where the host does not tell. */
  bootTime: number | undefined;
  inventory: Inventory | undefined;
  metrics: Metric[];
}

/** The heartbeat that goes over the wire: what was sampled, with its instance and sequence number. */
export function makeHeartbeat(sampled: Sampled, instance: string, sequence: number): Heartbeat {
  return {
    v: 1,
    instance,
    sequence,
    time: sampled.time,
    interval: sampled.interval / 1_000,
    agent: { version: VERSION },
    host: { name: sampled.hostName, ...(sampled.bootTime !== undefined && { boot_time: sampled.bootTime }) },
    ...(sampled.inventory && { inventory: sampled.inventory }),
    metrics: sampled.metrics,
  };
}
