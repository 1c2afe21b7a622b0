import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Heartbeat, Point } from '../src/protocol/heartbeat.ts';
import { AGENT } from '../test/helpers/programs.ts';

/** One line that says what a figure was measured on, and when. */
export function machine(): string {
  const model = os.cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${new Date().toISOString().slice(0, 10)}, ${os.cpus().length} × ${model}, ${memory} GiB, ${os.type()} ${os.release()}, Node ${process.versions.node}`;
}

/** What a process has used, from procfs (proc_pid_stat(5), proc_pid_status(5)). */
export interface Reading {
  /** MB resident. */
  rss: number;
  /** MB of private anonymous memory: what the process itself answers for. */
  anon: number;
  /** Processor seconds of the threads it has. */
  cpu: number;
}

/** Reads one process. Throws when it is gone. */
export function reading(pid: number): Reading {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  // Nanoseconds on a processor, a thread each: the ticks of proc_pid_stat(5) miss work that is shorter than one.
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1'));
  const cpu = threads.reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1e9, 0);
  return { rss: kb('VmRSS') / 1000, anon: kb('RssAnon') / 1000, cpu };
}

/** The sum over several processes: a pair that does one job together. */
export function sum(readings: Reading[]): Reading {
  const total = (pick: (one: Reading) => number) => readings.reduce((sofar, one) => sofar + pick(one), 0);
  return { rss: total((one) => one.rss), anon: total((one) => one.anon), cpu: total((one) => one.cpu) };
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Prints rows with aligned columns. */
export function print(header: string[], rows: (string | number)[][]): void {
  const all = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  for (const row of all)
    process.stdout.write(
      `${row.map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0))).join('  ')}\n`,
    );
}

/** Builds both programs, so that what is measured is what ships. */
export function buildPrograms(): void {
  execFileSync(process.execPath, [fileURLToPath(new URL('../scripts/build.ts', import.meta.url))], { stdio: 'inherit' });
}

/** This host's own heartbeat, with readings that differ from one to the next as counters and gauges do. */
export function variations(): (instance: string, sequence: number, time: number) => string {
  const env = { ...process.env, SCOUT_COLLECTORS_PROCESSES_TOP: '6' };
  const sample: Heartbeat = JSON.parse(execFileSync(process.execPath, [AGENT, 'sample', '--json'], { encoding: 'utf8', env }));
  const vary = (point: Point, sequence: number): Point => {
    const value = point.at(-1) as number;
    const digits = String(value).split('.')[1]?.length ?? 0;
    return [...point.slice(0, -1), value === 0 ? 0 : Number((value * (1 + sequence / 1e5) + Math.random() * 10).toFixed(digits))];
  };
  return (instance, sequence, time) => {
    const metrics = sample.metrics.map((metric) => ({ ...metric, points: metric.points.map((point) => vary(point, sequence)) }));
    return JSON.stringify({ ...sample, instance, sequence, time, metrics });
  };
}
