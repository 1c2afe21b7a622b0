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
  const cpu_seconds = (user + system) / 1e6;
  if (host.platform !== 'linux') return { rss: process.memoryUsage.rss(), private: null, cpu_seconds };
  // As utf8, which Node reads without a buffer of its own.
  const status = readFileSync('/proc/self/status', 'utf8');
  return { rss: sizeIn(status, 'VmRSS') ?? process.memoryUsage.rss(), private: sizeIn(status, 'RssAnon') ?? null, cpu_seconds };
}

/** Bytes that a line of proc_pid_status(5) tells in kB; undefined where it has no such line. */
function sizeIn(status: string, name: string): number | undefined {
  const line = `\n${name}:`;
  const at = status.indexOf(line);
  return at < 0 ? undefined : Number.parseInt(status.slice(at + line.length), 10) * 1_024;
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
