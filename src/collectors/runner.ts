import type { CollectorsConfig } from '../config/schema.ts';
import type { Metric, Point } from '../protocol/heartbeat.ts';
import { detailOf } from '../support/errors.ts';
import type { Host } from '../support/host.ts';
import { type Collector, type CollectorDefinition, type CollectorName, metric, round } from './collector.ts';
import { Files, isAbsent, isDenied, Unsupported } from './files.ts';
import { COLLECTORS, definitionsFor } from './registry.ts';

/** How the last run of a collector went. */
export interface CollectorStatus {
  name: string;
  /**
   * `stale`: collected, but something it asked did not answer. `unsupported`: this kernel or machine has nothing of the
   * kind. `denied`: this user may not read what it needs.
   */
  state: 'ok' | 'failed' | 'stale' | 'unsupported' | 'denied';
  /** Seconds that it took. */
  duration: number;
  detail?: string;
  /** The file or folder on which it failed, or that was denied. */
  path?: string;
  /** What was refused, though the rest was collected. */
  denied?: string[];
}

export interface Collected {
  metrics: Metric[];
  statuses: CollectorStatus[];
  /** For each status, where in `metrics` those of its collector begin; they end where the next ones begin. */
  starts: number[];
}

/** Runs the collectors that are switched on, one after the other, each timed and none able to spoil another. */
export class Runner {
  readonly #host: Host;
  readonly #definitions: readonly CollectorDefinition[];
  readonly #files: Files;
  #collectors = new Map<CollectorName, Collector | undefined>();

  constructor(
    host: Host,
    settings: CollectorsConfig,
    definitions: readonly CollectorDefinition[] = definitionsFor(host),
    files: Files = new Files(),
  ) {
    this.#host = host;
    this.#definitions = definitions;
    this.#files = files;
    this.apply(settings);
  }

  /** Collects by other settings from the next sample on. What hangs in the kernel stays known: a new runner would ask it again. */
  apply(settings: CollectorsConfig): void {
    for (const collector of this.#collectors.values()) collector?.close?.();
    const collectors = new Map<CollectorName, Collector | undefined>();
    const known = new Map(this.#definitions.map((definition) => [definition.name, definition]));
    for (const name of new Set([...COLLECTORS.map((collector) => collector.name), ...known.keys()])) {
      if (!settings[name].enabled) continue;
      collectors.set(name, known.get(name)?.create(this.#host, settings[name], this.#files));
    }
    this.#collectors = collectors;
  }

  /** One sample. Never throws: what failed stands in the statuses, and in `scout.collector.success`. */
  async collect(): Promise<Collected> {
    this.#files.next();
    const metrics: Metric[] = [];
    const statuses: CollectorStatus[] = [];
    const starts: number[] = [];
    for (const [name, collector] of this.#collectors) {
      starts.push(metrics.length);
      const started = this.#host.monotonic();
      const status: CollectorStatus = { name, state: 'ok', duration: 0 };
      try {
        if (!collector) throw new Unsupported(`not on ${this.#host.platform}`);
        const found = collector.collect();
        // Most are synchronous, and a turn of the loop for each would only add to the cost.
        for (const one of found instanceof Promise ? await found : found) metrics.push(one);
        const stale = collector.stale?.() ?? [];
        if (stale.length > 0) Object.assign(status, { state: 'stale', detail: `no answer from ${stale.join(', ')}` });
        const denied = collector.denied?.() ?? [];
        if (denied.length > 0) status.denied = denied;
      } catch (error) {
        status.state = isAbsent(error) ? 'unsupported' : isDenied(error) ? 'denied' : 'failed';
        status.detail = detailOf(error);
        const { path } = error as NodeJS.ErrnoException;
        if (path !== undefined && status.state !== 'unsupported') status.path = path;
      }
      status.duration = round((this.#host.monotonic() - started) / 1_000, 5);
      statuses.push(status);
    }
    this.#files.done();
    starts.push(metrics.length);
    metrics.push(...ownMetrics(statuses));
    return { metrics, statuses, starts };
  }

  /** Calls into the kernel that have not returned; each keeps a thread, and keeps the process from ending by itself. */
  get hung(): number {
    return this.#files.probes.hung;
  }

  /** Closes what is kept open. The runner is of no use afterwards. */
  close(): void {
    for (const collector of this.#collectors.values()) collector?.close?.();
    this.#files.close();
  }
}

function ownMetrics(statuses: CollectorStatus[]): Metric[] {
  const success: Point[] = [];
  const duration: Point[] = [];
  for (const { name, state, duration: seconds } of statuses) {
    if (state === 'unsupported') continue;
    success.push([name, state === 'failed' || state === 'denied' ? 0 : 1]);
    duration.push([name, seconds]);
  }
  return [
    metric('scout.collector.success', '1', 'gauge', ['collector'], success),
    metric('scout.collector.duration', 's', 'gauge', ['collector'], duration),
  ];
}
