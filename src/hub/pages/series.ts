import type { Metric } from '../../protocol/heartbeat.ts';
import type { Reading } from './readings.ts';

/** Attributes of one row, by name. */
export type Attributes = Record<string, string | number>;

/** Lines over the same times. `null` where nothing was measured: before the first reading, or where the agent was away. */
export interface Lines {
  /** Seconds since the epoch. */
  times: number[];
  lines: Map<string, (number | null)[]>;
}

/** The row's label in a chart; undefined leaves the row out. Rows with one label are added up. */
export type Label = (attributes: Attributes) => string | undefined;

/** Missing for more than this many steps is shown as a gap. */
const GAP_STEPS = 3;
/** Seconds by which a boot time may differ without a boot: it is computed from a clock that is being set. */
const BOOT_SLACK = 60;

/** What one answer spends on a metric: rows looked at per heartbeat, and lines made of them. */
const MOST_ROWS = 2_000;
const MOST_LABELS = 200;

/** Attributes and number of each row of a metric, up to 2,000 of them. */
function* rowsOf(metric: Metric): Generator<{ key: string; attributes: Attributes; value: number }> {
  const width = metric.attributes.length;
  for (const point of metric.points.slice(0, MOST_ROWS)) {
    const value = point[width];
    if (typeof value !== 'number' || !Number.isFinite(value)) continue;
    const attributes: Attributes = {};
    for (let i = 0; i < width; i++) attributes[metric.attributes[i]!] = point[i]!;
    yield { key: JSON.stringify(point.slice(0, width)), attributes, value };
  }
}

/** Readings of a gauge, or of a sum that may fall, as they are. */
export function valuesOf(readings: Reading[], name: string, label: Label, step: number): Lines {
  return collect(readings, step, (reading) => {
    const metric = reading.metrics.get(name);
    if (!metric) return undefined;
    const sums = new Map<string, number>();
    for (const { attributes, value } of rowsOf(metric)) add(sums, label(attributes), value);
    return sums;
  });
}

/**
 * What a counter gained per second. A counter that fell, a host that booted and a row that is new have no rate at
 * that point; nor has the first reading after a gap, whose rate would be that of the whole gap.
 */
export function ratesOf(readings: Reading[], name: string, label: Label, step: number): Lines {
  return collect(readings, step, (reading, before) => {
    const metric = reading.metrics.get(name);
    const earlier = before?.metrics.get(name);
    if (!metric || !before || !earlier || rebooted(before, reading)) return undefined;
    const seconds = (reading.time - before.time) / 1_000;
    if (seconds <= 0) return undefined;
    const then = new Map<string, number>();
    for (const { key, value } of rowsOf(earlier)) then.set(key, value);
    const sums = new Map<string, number>();
    for (const { key, attributes, value } of rowsOf(metric)) {
      const base = then.get(key);
      if (base !== undefined && value >= base) add(sums, label(attributes), (value - base) / seconds);
    }
    return sums;
  });
}

/** Each line's numbers changed by a function that sees all of one moment. */
export function mapLines({ times, lines }: Lines, change: (value: number, moment: Map<string, number>) => number | null): Lines {
  const labels = [...lines.keys()];
  const moments = times.map((_, i) => new Map(labels.flatMap((label) => nonNull(label, lines.get(label)?.[i]))));
  const changed = labels.map((label): [string, (number | null)[]] => {
    const values = moments.map((moment) => {
      const value = moment.get(label);
      return value === undefined ? null : change(value, moment);
    });
    return [label, values];
  });
  return { times, lines: new Map(changed) };
}

function nonNull(label: string, value: number | null | undefined): [string, number][] {
  return value === null || value === undefined ? [] : [[label, value]];
}

function rebooted(before: Reading, now: Reading): boolean {
  return before.boot !== undefined && now.boot !== undefined && Math.abs(now.boot - before.boot) > BOOT_SLACK;
}

function add(sums: Map<string, number>, label: string | undefined, value: number): void {
  if (label !== undefined) sums.set(label, (sums.get(label) ?? 0) + value);
}

type Measure = (reading: Reading, before: Reading | undefined) => Map<string, number> | undefined;

function collect(readings: Reading[], step: number, measure: Measure): Lines {
  const times: number[] = [];
  const lines = new Map<string, (number | null)[]>();
  let before: Reading | undefined;
  for (const reading of readings) {
    if (before && reading.time <= before.time) continue;
    const away = before !== undefined && reading.time - before.time > GAP_STEPS * step;
    if (away && before) push(times, lines, (before.time + step) / 1_000, undefined);
    push(times, lines, reading.time / 1_000, measure(reading, away ? undefined : before));
    before = reading;
  }
  return { times, lines };
}

function push(times: number[], lines: Lines['lines'], time: number, values: Map<string, number> | undefined): void {
  for (const label of values?.keys() ?? [])
    if (!lines.has(label) && lines.size < MOST_LABELS) lines.set(label, Array<null>(times.length).fill(null));
  times.push(time);
  for (const [label, line] of lines) line.push(values?.get(label) ?? null);
}
