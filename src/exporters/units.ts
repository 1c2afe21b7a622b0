import type { Metric } from '../protocol/heartbeat.ts';

/** Gauges that are 0 or 1 and answer a question; a heartbeat carries them in `1`, as it does shares. */
const FLAGS: ReadonlySet<string> = new Set([
  'scout.collector.success',
  'scout.filesystem.readonly',
  'scout.filesystem.stale',
  'scout.network.up',
  'scout.tcp.states_cut',
]);

/**
 * The unit under which a metric leaves for other backends. A gauge in `1` is a share to all of them, and Prometheus'
 * rules make `_ratio` of it; yes and no are no share, and go without a unit.
 */
export function unitOf({ name, unit }: Pick<Metric, 'name' | 'unit'>): string {
  return FLAGS.has(name) ? '' : unit;
}
