import { readBootTime } from '../collectors/boot.ts';
import { type CollectorStatus, Runner } from '../collectors/runner.ts';
import type { Config } from '../config/schema.ts';
import type { Spool } from '../delivery/spool.ts';
import type { Metric } from '../protocol/heartbeat.ts';
import { detailOf } from '../support/errors.ts';
import type { Host } from '../support/host.ts';
import type { Log } from '../support/log.ts';
import { makeHeartbeat } from './heartbeat.ts';
import { InventoryFeed } from './inventory.ts';

/** Where one heartbeat stands in the order. */
export interface Position {
  instance: string;
  sequence: number;
}

interface Options {
  /** The launcher; a child of it reads the inventory. */
  program: string;
  host: Host;
  log: Log;
  config: Config;
  spool: Spool;
  /** The agent's metrics of itself, asked for at each sample. */
  own(): Metric[];
}

/** Turns a moment of the host into a heartbeat that is safe on disk. */
export class Sampler {
  readonly #options: Options;
  readonly #inventory: InventoryFeed;
  readonly #bootTime: number | undefined;
  #config: Config;
  readonly #runner: Runner;

  /** How each collector fared the last time. */
  statuses: CollectorStatus[] = [];
  /** What was found the last time, for Prometheus where it is asked for; what nobody asks for is let go at once. */
  metrics: Metric[] = [];
  /** The last heartbeat made. */
  last: { time: number; sequence: number } | null = null;

  constructor(options: Options) {
    const { program, host, log, config } = options;
    this.#options = options;
    this.#config = config;
    this.#bootTime = readBootTime(host);
    this.#inventory = new InventoryFeed(program, host, (error) => log.warn({ detail: detailOf(error) }, 'the inventory could not be read'));
    this.#runner = new Runner(host, config.collectors);
  }

  /** Calls of collectors that hang in the kernel (a dead network mount). */
  get hung(): number {
    return this.#runner.hung;
  }

  /** Samples by another configuration from now on. */
  apply(config: Config): void {
    this.#config = config;
    this.#runner.apply(config.collectors);
  }

  /** Samples once; the heartbeat is durable when this returns (or, where the disk fails, safe in memory and said so). */
  async sample(): Promise<Position> {
    const { host, log, spool, own } = this.#options;
    const { interval, host_name, collectors, prometheus } = this.#config;
    const time = host.now();
    const from = host.monotonic();
    const { metrics, statuses } = await this.#runner.collect();
    this.statuses = statuses;
    const all = [...metrics, ...own()];
    if (prometheus.listen) this.metrics = all;
    const sampled = {
      time,
      interval,
      hostName: host_name ?? host.hostname(),
      bootTime: this.#bootTime,
      inventory: collectors.inventory.enabled ? this.#inventory.take() : undefined,
      metrics: all,
    };
    const position = spool.append((instance, sequence) => ({ json: JSON.stringify(makeHeartbeat(sampled, instance, sequence)), time }));
    this.last = { time, sequence: position.sequence };
    const amiss = statuses.filter(({ state }) => state !== 'ok' && state !== 'unsupported').map(({ name, state }) => `${name} ${state}`);
    const ms = Math.round((host.monotonic() - from) * 10) / 10;
    log.debug({ sequence: position.sequence, metrics: all.length, ms, ...(amiss.length > 0 && { amiss }) }, 'sampled');
    return position;
  }

  close(): void {
    this.#inventory.stop();
    this.#runner.close();
  }
}
