import type { CollectorsConfig } from '../config/schema.ts';
import type { Metric, MetricType, Point } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';

/**
 * One subject of measurement. A collector reads the kernel's files under `host`'s roots and returns plain metrics;
 * it does not log, spawn or hold timers. It throws when it cannot do its work; the runner isolates, times and reports
 * that. State between two samples (an open descriptor, a previous reading) lives in the object that `create` makes.
 */
export interface Collector {
  collect(): Metric[] | Promise<Metric[]>;
  /** Releases what it holds (open descriptors). */
  close?(): void;
}

export type CollectorName = keyof CollectorsConfig;

/** How the registry knows a collector; the one thing a collector's file exports besides its class. */
export interface CollectorDefinition<Name extends CollectorName = CollectorName> {
  name: Name;
  /** One line for the docs and `doctor`. */
  summary: string;
  create(host: Host, settings: CollectorsConfig[Name]): Collector;
}

/** A metric in the shape of the wire: `metric('system.cpu.time', 's', 'counter', ['cpu.mode'], [['user', 1.5]])`. */
export function metric(name: string, unit: string, type: MetricType, attributes: string[], points: Point[]): Metric {
  return { name, unit, type, attributes, points };
}
