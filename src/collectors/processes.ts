import { readdirSync } from 'node:fs';
import { parseNumbers } from '../procfs/numbers.ts';
import { type PidStat, parsePidStat } from '../procfs/pidstat.ts';
import { parseStat, TICKS } from '../procfs/stat.ts';
import { parseUptime } from '../procfs/uptime.ts';
import type { Metric, Point } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import { type Collector, type CollectorDefinition, metric, rows } from './collector.ts';
import type { Files } from './files.ts';
import { pageSize } from './pages.ts';

/** Kernel threads outnumber processes on a small host and seldom matter: each is read with every sixth sample. */
const KERNEL_TURN = 6;
/** A process that was found as it was this often is read with every second sample, until it moves. */
const RESTED = 6;
const RESTING_TURN = 2;

/** Words of the conventions where they have one (`process.state`), then ours; letters of proc_pid_stat(5). */
const STATES: Record<string, string> = {
  R: 'running',
  S: 'sleeping',
  D: 'blocked',
  I: 'idle',
  T: 'stopped',
  t: 'stopped',
  Z: 'defunct',
  X: 'defunct',
};

interface Known {
  path: string;
  /** What was read; empty while it works, since the next reading will differ. */
  text: string;
  /** How often the same was read again. */
  rested: number;
  stat: PidStat;
  /** Ticks used since the reading before, a second. */
  rate: number;
  /** Monotonic ms of this reading. */
  read: number;
  sample: number;
}

class Processes implements Collector {
  readonly #host: Host;
  readonly #files: Files;
  readonly #top: number;
  readonly #page: number;
  readonly #known = new Map<string, Known>();
  #sample = 0;
  #names: string[] = [];
  #forks: number | undefined;

  constructor(host: Host, top: number, files: Files) {
    this.#host = host;
    this.#files = files;
    this.#top = top;
    this.#page = pageSize(host);
  }

  collect(): Metric[] {
    const { forks, running, blocked } = parseStat(this.#files.text(`${this.#host.proc}/stat`));
    // Where nothing was forked there is nothing new, and listing /proc costs as much as reading fifty processes.
    if (forks === undefined || forks !== this.#forks) this.#names = readdirSync(this.#host.proc).filter(isPid);
    this.#forks = forks;
    this.#read();
    const states: Record<string, number> = { running: 0, sleeping: 0, blocked: 0, idle: 0, stopped: 0, defunct: 0 };
    for (const { stat } of this.#known.values()) {
      const state = STATES[stat.state] ?? 'sleeping';
      states[state] = (states[state] ?? 0) + 1;
    }
    const [limit] = parseNumbers(this.#files.optional(`${this.#host.proc}/sys/kernel/threads-max`) ?? '');
    const metrics = [
      metric('system.process.count', '{process}', 'updowncounter', ['process.state'], rows(states)),
      metric('scout.process.runnable', '{process}', 'gauge', ['state'], rows({ running, blocked })),
    ];
    if (forks !== undefined) metrics.push(metric('system.process.created', '{process}', 'counter', [], [[forks]]));
    if (limit !== undefined) metrics.push(metric('system.process.limit', '{thread}', 'updowncounter', [], [[limit]]));
    return this.#top === 0 ? metrics : [...metrics, ...this.#largest()];
  }

  /** Where process 1 cannot be read, hidepid= (proc(5)) shows this user its own processes only. */
  denied(): string[] {
    return this.#known.has('1') ? [] : ['the processes of other users'];
  }

  #read(): void {
    const now = this.#host.monotonic();
    const sample = ++this.#sample;
    const uptime = parseUptime(this.#files.text(`${this.#host.proc}/uptime`)) ?? 0;
    for (const name of this.#names) {
      const before = this.#known.get(name);
      if (before && (before.stat.pid + sample) % turnOf(before) !== 0) {
        before.sample = sample;
        continue;
      }
      const path = before?.path ?? `${this.#host.proc}/${name}/stat`;
      const text = this.#files.brief(path, before?.stat.kernelThread === false) ?? '';
      // Most processes sleep from one sample to the next.
      if (before && before.text === text) {
        before.rested++;
        before.rate = 0;
        before.read = now;
        before.sample = sample;
        continue;
      }
      const stat = parsePidStat(text);
      if (!stat) continue;
      const used = stat.userTime + stat.systemTime;
      const same = before?.stat.startTime === stat.startTime ? before : undefined;
      // A process met for the first time ranks by its average since it started.
      const rate = same
        ? ((used - same.stat.userTime - same.stat.systemTime) * 1_000) / Math.max(now - same.read, 1)
        : used / Math.max(uptime - stat.startTime / TICKS, 1);
      if (same) {
        // What is kept from sample to sample is changed in place: V8 would collect what it was replaced by only after long.
        if (stat.name === same.stat.name) stat.name = same.stat.name;
        Object.assign(same.stat, stat);
        Object.assign(same, { text: rate > 0 ? '' : text, rested: 0, rate, read: now, sample });
      } else this.#known.set(name, { path, text, rested: 0, stat, rate, read: now, sample });
    }
    this.#known.forEach((known, name) => {
      if (known.sample === sample) return;
      this.#known.delete(name);
      this.#files.drop(known.path);
    });
  }

  #largest(): Metric[] {
    const all = [...this.#known.values()];
    const chosen = new Set([...largest(all, this.#top, (known) => known.rate), ...largest(all, this.#top, (known) => known.stat.resident)]);
    const time: Point[] = [];
    const memory: Point[] = [];
    const threads: Point[] = [];
    const faults: Point[] = [];
    for (const { stat } of chosen) {
      const { pid, name } = stat;
      time.push([pid, name, 'user', stat.userTime / TICKS], [pid, name, 'system', stat.systemTime / TICKS]);
      // A thread of the kernel has nothing but its time.
      if (stat.kernelThread) continue;
      memory.push([pid, name, stat.resident * this.#page]);
      threads.push([pid, name, stat.threads]);
      faults.push([pid, name, stat.majorFaults]);
    }
    const named = ['process.pid', 'process.executable.name'];
    return [
      metric('process.cpu.time', 's', 'counter', [...named, 'cpu.mode'], time),
      metric('process.memory.usage', 'By', 'updowncounter', named, memory),
      metric('process.thread.count', '{thread}', 'updowncounter', named, threads),
      metric('scout.process.major_faults', '{fault}', 'counter', named, faults),
    ];
  }
}

/** Samples from one reading to the next; by their number some of them fall on each sample. */
function turnOf({ stat, rested }: Known): number {
  if (stat.kernelThread) return KERNEL_TURN;
  return rested < RESTED ? 1 : RESTING_TURN;
}

function isPid(name: string): boolean {
  const first = name.charCodeAt(0);
  return first >= 49 && first <= 57;
}

/** The `count` of `all` with the highest `weight` above zero, of equals the older pid. A few passes cost less than sorting all. */
function largest(all: Known[], count: number, weight: (known: Known) => number): Known[] {
  const best: Known[] = [];
  /** What the last of a full list has. */
  let least = 0;
  for (const known of all) {
    const value = weight(known);
    if (value < least || value <= 0) continue;
    const before = (other: Known) => weight(other) > value || (weight(other) === value && other.stat.pid < known.stat.pid);
    let at = best.length;
    while (at > 0 && !before(best[at - 1] as Known)) at--;
    if (at === count) continue;
    best.splice(at, 0, known);
    if (best.length > count) best.pop();
    if (best.length === count) least = weight(best[count - 1] as Known);
  }
  return best;
}

export const processes: CollectorDefinition<'processes'> = {
  name: 'processes',
  summary: 'Processes by state, forks, and the largest by processor time and memory.',
  create: (host, settings, files) => new Processes(host, settings.top, files),
};
