import type { CollectorsConfig } from '../config/schema.ts';
import type { Metric, MetricType, Point } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import type { Files } from './files.ts';

/**
 * One subject of measurement. A collector reads the kernel's files under `host`'s roots and returns plain metrics;
 * it does not log, spawn or hold timers. It throws when it cannot do its work; the runner isolates, times and reports
 * that. State between two samples (a previous reading) lives in the object that `create` makes.
 */
export interface Collector {
  collect(): Metric[] | Promise<Metric[]>;
  /** Names of what did not answer with the last sample (mount points), though the rest was collected. */
  stale?(): string[];
  /** Names of what was refused to this user with the last sample, though the rest was collected. */
  denied?(): string[];
  /** Releases what it holds. */
  close?(): void;
}

export type CollectorName = keyof CollectorsConfig;

/** How the registry knows a collector; the one thing a collector's file exports besides its class. */
export interface CollectorDefinition<Name extends CollectorName = CollectorName> {
  name: Name;
  /** One line for the docs and `doctor`. */
  summary: string;
  /** `files` belongs to the runner: each file is read once a sample, whoever asks for it. */
  create(host: Host, settings: CollectorsConfig[Name], files: Files): Collector;
}

/** A metric in the shape of the wire: `metric('system.cpu.time', 's', 'counter', ['cpu.mode'], [['user', 1.5]])`. */
export function metric(name: string, unit: string, type: MetricType, attributes: string[], points: Point[]): Metric {
  return { name, unit, type, attributes, points };
}

/** A number without false precision: `digits` after the point. */
export function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}

/** Rows of one attribute for each of `names` that has a number. */
export function rows(names: Record<string, number | undefined>): Point[] {
  const points: Point[] = [];
  for (const name in names) {
    const value = names[name];
    if (value !== undefined) points.push([name, value]);
  }
  return points;
}
