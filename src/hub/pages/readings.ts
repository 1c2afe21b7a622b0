import { unpack } from '../../protocol/frame.ts';
import type { Heartbeat, Metric } from '../../protocol/heartbeat.ts';
import { HEARTBEAT_MAX_BYTES } from '../../protocol/wire.ts';
import type { Store } from '../store/store.ts';
import { ROLLUP_MS } from '../store/stream.ts';

/** Most points of a chart, and so most heartbeats opened for one answer. */
export const MOST_POINTS = 500;
/** Heartbeats opened before others get their turn of the event loop. */
const AT_ONCE = 25;
/** Most bytes unpacked for one answer; a real day of heartbeats needs a quarter of it. */
const MOST_BYTES = 64 * 1_048_576;
/** The first look back from the end of a step, in intervals; doubled while nothing is found. */
const LOOK_BACK = 1.5;

/** What one heartbeat told of the metrics that were asked for. */
export interface Reading {
  /** When it was sampled, ms. */
  time: number;
  /** Seconds since the epoch at which the host's counters began. */
  boot: number | undefined;
  metrics: Map<string, Metric>;
}

export interface ReadOptions {
  /** [from, to) in ms. */
  from: number;
  to: number;
  /** Seconds between heartbeats, as the agent says. */
  interval: number;
  /** Names of the metrics wanted; all others are dropped at once. */
  names: ReadonlySet<string>;
}

/** Readings of a range, and the length of its steps in ms, which tells a gap between two of them from none. */
export interface Read {
  readings: Reading[];
  step: number;
}

type Source = Pick<Store, 'recent' | 'rollups'>;

/** Length of a step in ms: a whole number of intervals, so that a range holds at most MOST_POINTS of them. */
export function stepOf(from: number, to: number, interval: number): number {
  const beat = Math.max(1, interval * 1_000);
  return Math.max(1, Math.ceil((to - from) / MOST_POINTS / beat)) * beat;
}

/**
 * One reading of each step of a range, oldest first, of any range that the hub knows of: the window's heartbeats as long
 * as a step is shorter than a roll-up stands for (a range of three days and a half), else roll-ups, and the window where
 * there is none yet. A short range that the window no longer reaches is read from roll-ups too, with longer steps.
 */
export async function readRange(store: Source, serverId: string, options: ReadOptions): Promise<Read> {
  const step = stepOf(options.from, options.to, options.interval);
  if (step < ROLLUP_MS) {
    const found = await walk(store, serverId, options, step, false);
    if (found[0] && !(await reachesFurther(store, serverId, options.from, found[0].time))) return { readings: found, step };
  }
  const longer = Math.max(step, ROLLUP_MS);
  return { readings: await walk(store, serverId, options, longer, true), step: longer };
}

/** Whether roll-ups go on where the window ends: what it holds begins at `first`, well inside the range. */
async function reachesFurther(store: Source, serverId: string, from: number, first: number): Promise<boolean> {
  const [since, until] = [Math.max(from, first - 6 * ROLLUP_MS), first - 2 * ROLLUP_MS];
  return since < until && (await store.rollups(serverId, since, until)).length > 0;
}

/**
 * The last heartbeat of each step. Counters lose nothing by that, and neither a long range nor an agent that reports
 * fifty times a second makes it costly: it looks at a piece of each step only.
 */
async function walk(store: Source, serverId: string, options: ReadOptions, step: number, rolled: boolean): Promise<Reading[]> {
  const { from, to, interval, names } = options;
  const found: Reading[] = [];
  const budget = { bytes: MOST_BYTES };
  let looked = 0;
  for (let end = from + step; end - step < to; end += step) {
    const [since, until] = [Math.ceil(end - step), Math.min(Math.ceil(end), to)];
    const last =
      (rolled ? (await store.rollups(serverId, since, until)).at(-1) : undefined) ??
      (await lastOf(store, serverId, since, until, interval * 1_000 * LOOK_BACK));
    const reading = last && open(last.frame, names, budget);
    if (reading) found.push(reading);
    if (++looked % AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return found;
}

async function lastOf(
  store: Pick<Store, 'recent'>,
  serverId: string,
  from: number,
  to: number,
  look: number,
): Promise<{ frame: Uint8Array } | undefined> {
  let until = to;
  for (let back = Math.max(look, 1); until > from; back *= 2) {
    const since = Math.max(from, Math.floor(to - back));
    const last = (await store.recent(serverId, since, until)).at(-1);
    if (last) return last;
    until = since;
  }
  return undefined;
}

/** Opens a stored frame; undefined when it is not one heartbeat within the limits of the wire, or the budget is spent. */
export function open(frame: Uint8Array, names: ReadonlySet<string>, budget = { bytes: MOST_BYTES }): Reading | undefined {
  if (budget.bytes <= 0) return undefined;
  try {
    // One byte more than a heartbeat: the line feed at its end.
    const text = unpack(frame, HEARTBEAT_MAX_BYTES + 1);
    budget.bytes -= text.length;
    const beat = JSON.parse(text.toString()) as Heartbeat;
    const metrics = new Map(beat.metrics.filter((metric) => names.has(metric.name)).map((metric) => [metric.name, metric]));
    return { time: beat.time, boot: beat.host.boot_time, metrics };
  } catch {
    return undefined;
  }
}
