import { pack, unpack } from '../../protocol/frame.ts';
import type { Heartbeat, Metric, Point } from '../../protocol/heartbeat.ts';
import { HEARTBEAT_MAX_BYTES } from '../../protocol/wire.ts';
import { ROLLUP_MS } from '../store/stream.ts';

/**
 * Most heartbeats opened for one roll-up, spread evenly: one every half a minute. Opening is what it costs, and the mean of
 * all sixty that an agent sends in the time differs from that of twenty by less than a chart shows.
 */
const MOST_OPENED = 20;
/** Digits of a mean: charts show three, and every further one costs a byte for each row. */
const DIGITS = 6;

/** Sum and count of what is averaged. */
interface Mean {
  sum: number;
  count: number;
}

/**
 * Rolls up the heartbeats of a stretch, oldest first, into one of the same form: each metric with the rows that it had
 * last, counters as they were then, of everything else the mean. Time, boot and names are the last heartbeat's too, so
 * that a rate between two roll-ups is exact. Undefined where no frame can be opened.
 */
export function rollUp(frames: { frame: Uint8Array }[]): Uint8Array | undefined {
  const beats = sampled(frames).flatMap(({ frame }) => open(frame) ?? []);
  const last = beats.at(-1);
  if (!last) return undefined;
  // Of several agents under one server, the last one: the mean over two hosts is neither's.
  const own = beats.filter((beat) => beat.instance === last.instance);
  const { inventory: _, ...rest } = last;
  const rolled: Heartbeat = { ...rest, interval: ROLLUP_MS / 1_000, metrics: metricsOf(own) };
  return pack(JSON.stringify(rolled));
}

/** Evenly spread, the last one always among them. */
function sampled<One>(all: One[]): One[] {
  if (all.length <= MOST_OPENED) return all;
  return Array.from({ length: MOST_OPENED }, (_, index) => all[Math.ceil(((index + 1) * all.length) / MOST_OPENED) - 1]!);
}

/** The heartbeat in a frame; undefined where it cannot be read. */
export function open(frame: Uint8Array): Heartbeat | undefined {
  try {
    return JSON.parse(unpack(frame, HEARTBEAT_MAX_BYTES + 1).toString()) as Heartbeat;
  } catch {
    return undefined;
  }
}

/** A metric that some heartbeats lack, because its collector runs seldom or failed, is taken from the last that has it. */
function metricsOf(beats: Heartbeat[]): Metric[] {
  const latest = new Map<string, Metric>();
  for (const beat of beats) for (const metric of beat.metrics) latest.set(identity(metric), metric);
  const means = new Map<string, Map<string, Mean>>();
  for (const [id, metric] of latest) if (metric.type !== 'counter') means.set(id, wanted(metric));
  for (const beat of beats) for (const metric of beat.metrics) addTo(means.get(identity(metric)), metric);
  return [...latest].map(([id, metric]) => {
    const rows = means.get(id);
    return rows ? { ...metric, points: metric.points.map((point) => averaged(point, rows.get(labelsOf(metric, point)))) } : metric;
  });
}

const identity = ({ name, type, attributes }: Metric): string => JSON.stringify([name, type, attributes]);
const labelsOf = ({ attributes }: Metric, point: Point): string => point.slice(0, attributes.length).join('\0');

function wanted(metric: Metric): Map<string, Mean> {
  return new Map(metric.points.map((point) => [labelsOf(metric, point), { sum: 0, count: 0 }]));
}

function addTo(rows: Map<string, Mean> | undefined, metric: Metric): void {
  if (!rows) return;
  for (const point of metric.points) {
    const value = point[metric.attributes.length];
    const mean = rows.get(labelsOf(metric, point));
    if (!mean || typeof value !== 'number') continue;
    mean.sum += value;
    mean.count++;
  }
}

function averaged(point: Point, mean: Mean | undefined): Point {
  if (!mean || mean.count === 0) return point;
  const value = mean.sum / mean.count;
  return Number.isFinite(value) ? [...point.slice(0, -1), Number(value.toPrecision(DIGITS))] : point;
}
