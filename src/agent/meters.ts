import { readFileSync } from 'node:fs';
import { metric } from '../collectors/collector.ts';
import type { Metric } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import type { Tick } from './scheduler.ts';

/** What the agent uses of the host it watches. */
export interface Usage {
  /** Resident bytes. */
  rss: number;
  /** Bytes that are this process's alone (RssAnon of proc_pid_status(5)); null where the kernel does not tell. */
  private: number | null;
  /** Processor seconds since start, user and system. */
  cpu_seconds: number;
}

/** Reads what this process costs. */
export function usage(host: Host): Usage {
  const { user, system } = process.cpuUsage();
  return { rss: process.memoryUsage.rss(), private: host.platform === 'linux' ? anonymous() : null, cpu_seconds: (user + system) / 1e6 };
}

function anonymous(): number | null {
  const found = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return found ? Number(found[1]) * 1024 : null;
}

/** Totals of one destination since start. */
export interface DeliveryCount {
  name: string;
  pending: number;
  accepted: number;
  duplicates: number;
  failures: number;
}

/** What the agent counts of itself between start and stop, and how that looks as metrics. */
export class Meters {
  #missed = 0;
  #jumps = 0;
  #reloads = { ok: 0, failed: 0 };
  #skew: number | undefined;

  tick(tick: Tick): void {
    this.#missed += tick.missed;
    if (tick.clockJump !== 0) this.#jumps += 1;
  }

  reload(ok: boolean): void {
    this.#reloads[ok ? 'ok' : 'failed'] += 1;
  }

  /** Milliseconds by which the service's clock is ahead of ours. */
  skew(ms: number): void {
    this.#skew = ms;
  }

  metrics(host: Host, outbox: { bytes: number; losses: { reason: string; count: number }[] }, delivery: DeliveryCount[]): Metric[] {
    const used = usage(host);
    const by = (pick: (count: DeliveryCount) => number) => delivery.map((count) => [count.name, pick(count)]);
    const found = [
      metric('scout.agent.cpu.time', 's', 'counter', [], [[round(used.cpu_seconds, 3)]]),
      metric(
        'scout.agent.memory.usage',
        'By',
        'gauge',
        ['state'],
        [['rss', used.rss], ...(used.private === null ? [] : [['private', used.private]])],
      ),
      metric('scout.agent.ticks.missed', '{tick}', 'counter', [], [[this.#missed]]),
      metric('scout.agent.clock.jumps', '{jump}', 'counter', [], [[this.#jumps]]),
      metric(
        'scout.agent.reloads',
        '{reload}',
        'counter',
        ['result'],
        [
          ['ok', this.#reloads.ok],
          ['failed', this.#reloads.failed],
        ],
      ),
      metric('scout.outbox.size', 'By', 'gauge', [], [[outbox.bytes]]),
      metric(
        'scout.outbox.pending',
        '{heartbeat}',
        'gauge',
        ['destination'],
        by((count) => count.pending),
      ),
      metric(
        'scout.delivery.accepted',
        '{heartbeat}',
        'counter',
        ['destination'],
        by((count) => count.accepted),
      ),
      metric(
        'scout.delivery.failures',
        '{request}',
        'counter',
        ['destination'],
        by((count) => count.failures),
      ),
    ];
    if (outbox.losses.length > 0) {
      found.push(
        metric(
          'scout.outbox.lost',
          '{heartbeat}',
          'counter',
          ['reason'],
          outbox.losses.map((loss) => [loss.reason, loss.count]),
        ),
      );
    }
    if (this.#skew !== undefined) found.push(metric('scout.agent.clock.skew', 's', 'gauge', [], [[round(this.#skew / 1_000, 1)]]));
    return found;
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
