/**
 * `npm run bench:hub [SECONDS]`: heartbeats of about 300 points, accepted and durable, by the hub as it ships on one
 * core, with the load on another: in batches as an agent sends them after an outage (100), one a request, and 10,000
 * agents with a kept connection each and a heartbeat every 10 s. Beside it, on the same core one after the other, what
 * SQLite alone takes of the same bytes, and VictoriaMetrics of the same samples over OTLP (from Debian's packages,
 * unpacked into a temporary folder; left out without apt).
 */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serialize } from 'node:v8';
import { addServer } from '../src/hub/servers.ts';
import { DEFAULT_ORGANISATION } from '../src/hub/store/records.ts';
import { SqliteStore } from '../src/hub/store/sqlite-store.ts';
import { API_KEY_HEADER, CONTENT_TYPE, PATHS } from '../src/protocol/wire.ts';
import { Bench, freePort } from '../test/helpers/programs.ts';
import type { Job, Plan, Told } from './hub-load.ts';
import { batches, type Made, makeHeartbeats, otlpBatches } from './hub-made.ts';
import { buildPrograms, machine, print, reading } from './lib.ts';
import { peer } from './peers.ts';

const seconds = Number(process.argv[2] ?? 20);
const AGENTS = 10_000;
const PERIOD = 10_000;
const BATCH = 100;
const WARM_UP = 3_000;
/** The core that is measured, and the one that makes the load. */
const [MEASURED, LOAD] = [0, 1];

const bench = new Bench();
const children: ChildProcess[] = [];

interface Result {
  name: string;
  perSecond: number;
  perCpuSecond: number;
  p50?: number;
  p99?: number;
  cpu: number;
}

/** Everything that a process starts later stays where it is. */
const pin = (pid: number, core: number) => execFileSync('taskset', ['-acp', String(core), String(pid)], { stdio: 'ignore' });

/** Puts a load on a process; `size` heartbeats stand in each request. */
async function load(
  name: string,
  pid: number,
  job: Omit<Job, 'plan' | 'ca'>,
  plan: Plan,
  size: number,
  onConnected = () => {},
): Promise<Result> {
  const file = join(bench.folder, 'plan');
  writeFileSync(file, serialize(plan), { mode: 0o600 });
  const child = fork(fileURLToPath(new URL('hub-load.ts', import.meta.url)), { execArgv: [] });
  children.push(child);
  pin(child.pid as number, LOAD);
  let [before, after] = [0, 0];
  const end = await new Promise<Extract<Told, { kind: 'end' }>>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the load ended with ${code}`)));
    child.on('message', (told: Told) => {
      if (told.kind === 'connected') {
        process.stderr.write(`  ${name}: connected in ${told.seconds.toFixed(1)} s\n`);
        onConnected();
      } else if (told.kind === 'begin') before = reading(pid).cpu;
      else {
        after = reading(pid).cpu;
        resolve(told);
      }
    });
    child.send({ ...job, plan: file, ca: bench.ca } satisfies Job);
  });
  if (Object.keys(end.failures).length > 0) throw new Error(`${name}: answers that were no success: ${JSON.stringify(end.failures)}`);
  const heartbeats = end.answered * size;
  process.stderr.write(`  ${name}: ${(heartbeats / end.seconds).toFixed(0)} a second\n`);
  return {
    name,
    perSecond: heartbeats / end.seconds,
    perCpuSecond: heartbeats / (after - before),
    p50: end.p50,
    p99: end.p99,
    cpu: (after - before) / end.seconds,
  };
}

/** Registers servers in the hub's database; their keys as lines of a request's head. */
async function register(prefix: string, count: number): Promise<string[]> {
  const store = SqliteStore.open(bench.data);
  try {
    const heads: string[] = [];
    for (let index = 0; index < count; index++) {
      const { key } = await addServer(
        { store, org: DEFAULT_ORGANISATION, now: () => Date.now() },
        `${prefix}-${index}`,
        'grace',
        86_400_000,
      );
      heads.push(`${API_KEY_HEADER}: ${key}\r\n`);
    }
    return heads;
  } finally {
    await store.close();
  }
}

const toHub = { path: PATHS.heartbeats, common: `content-type: ${CONTENT_TYPE}\r\ncontent-encoding: zstd\r\n` };
/** So many that a slow disk is no limit: a commit serves all that wait. */
const full = { warmUp: WARM_UP, measured: seconds * 1_000, mode: { kind: 'full', connections: 64 } } as const;

async function ofHub({ frames }: Made): Promise<Result[]> {
  const pid = bench.hub?.child.pid as number;
  const job = { ...toHub, ...full, port: bench.port };
  return [
    await load(
      `hub, ${BATCH} a request`,
      pid,
      job,
      { heads: await register('batch', 500), bodies: [batches(frames, BATCH)], again: false },
      BATCH,
    ),
    await load('hub, one a request', pid, job, { heads: await register('single', 500), bodies: [frames], again: false }, 1),
  ];
}

/** What the hub holds and spends for a fleet. */
async function ofFleet({ frames }: Made): Promise<void> {
  const heads = await register('fleet', AGENTS);
  await bench.hub?.end();
  await bench.startHub();
  const hub = bench.hub?.child.pid as number;
  pin(hub, MEASURED);
  const memory: [string, ReturnType<typeof reading>][] = [[`${AGENTS} servers, nobody connected`, reading(hub)]];
  const job = {
    ...toHub,
    port: bench.port,
    warmUp: PERIOD,
    measured: Math.max(2 * PERIOD, seconds * 1_000),
    mode: { kind: 'paced', period: PERIOD },
  } as const;
  const result = await load('fleet', hub, job, { heads, bodies: [frames], again: false }, 1, () =>
    memory.push([`${AGENTS} kept connections`, reading(hub)]),
  );
  memory.push([`${AGENTS} agents reporting`, reading(hub)]);
  process.stdout.write(
    `\n${AGENTS} agents, one heartbeat each every ${PERIOD / 1_000} s: ${result.perSecond.toFixed(0)} heartbeats a second, ` +
      `${result.cpu.toFixed(2)} of a core (to reach: 0.50), p50 ${result.p50?.toFixed(1)} ms, p99 ${result.p99?.toFixed(1)} ms\n\n`,
  );
  print(
    ['memory of the hub', 'private MB', 'RSS MB'],
    memory.map(([name, { anon, rss }]) => [name, anon.toFixed(0), rss.toFixed(0)]),
  );
}

/** What SQLite by itself takes of the same bytes, `size` a transaction. */
function ofSqlite({ frames }: Made, size: number): Result {
  const program = fileURLToPath(new URL('hub-sqlite.ts', import.meta.url));
  const file = join(bench.folder, 'frames');
  writeFileSync(file, serialize(frames));
  const args = ['-c', String(MEASURED), process.execPath, program, bench.folder, file, String(size), String(seconds)];
  const { perSecond, perCpuSecond } = JSON.parse(execFileSync('taskset', args, { encoding: 'utf8' }));
  return { name: `SQLite alone, ${size} a transaction`, perSecond, perCpuSecond, cpu: perSecond / perCpuSecond };
}

async function ofVictoriaMetrics({ json }: Made): Promise<Result[]> {
  // Debian 12's own knows nothing of OTLP.
  const program =
    process.env.SCOUT_VICTORIA_METRICS ?? peer('victoria-metrics', 'usr/bin/victoria-metrics', 'victoria-metrics', ['sid', 'trixie']);
  if (!program) {
    process.stderr.write('VictoriaMetrics is not to be had here (no Debian package)\n');
    return [];
  }
  const [data, port] = [join(bench.folder, 'victoria'), await freePort()];
  mkdirSync(data);
  const tls = ['-tls', `-tlsCertFile=${join(bench.data, 'server.pem')}`, `-tlsKeyFile=${join(bench.data, 'server-key.pem')}`];
  const child = spawn(
    'taskset',
    ['-c', String(MEASURED), program, `-storageDataPath=${data}`, `-httpListenAddr=127.0.0.1:${port}`, ...tls],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  children.push(child);
  await new Promise<void>((resolve) => child.stderr?.on('data', (text) => String(text).includes('started VictoriaMetrics') && resolve()));
  const hosts = (count: number, least: number, size: number): Plan => ({
    heads: Array.from({ length: count }, () => ''),
    bodies: Array.from({ length: count }, (_, index) => otlpBatches(json.slice(0, least * size), `host-${size}-${index}`, size)),
    again: true,
  });
  const common = 'content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\n';
  const job = { ...full, port, path: '/opentelemetry/v1/metrics', common };
  const pid = child.pid as number;
  const results = [
    await load(`VictoriaMetrics, ${BATCH} a request`, pid, job, hosts(20, 5, BATCH), BATCH),
    await load('VictoriaMetrics, one a request', pid, job, hosts(100, 50, 1), 1),
  ];
  child.kill();
  return results;
}

try {
  buildPrograms();
  const made = makeHeartbeats(1_000);
  const size = made.frames.reduce((sum, frame) => sum + frame.length, 0) / made.frames.length;
  await bench.startHub();
  pin(bench.hub?.child.pid as number, MEASURED);
  process.stdout.write(`${machine()}\n${made.points} points a heartbeat, ${size.toFixed(0)} bytes packed; ${seconds} s each\n\n`);
  const results = [...(await ofHub(made)), ofSqlite(made, BATCH), ofSqlite(made, 1), ...(await ofVictoriaMetrics(made))];
  const first = results[0] as Result;
  print(
    ['heartbeats', 'a second', 'a cpu second', 'cpu', 'p50 ms', 'p99 ms', 'ratio'],
    results.map((one) => [
      one.name,
      one.perSecond.toFixed(0),
      one.perCpuSecond.toFixed(0),
      one.cpu.toFixed(2),
      one.p50?.toFixed(1) ?? '-',
      one.p99?.toFixed(1) ?? '-',
      (one.perCpuSecond / first.perCpuSecond).toFixed(2),
    ]),
  );
  await ofFleet(made);
} finally {
  for (const child of children) child.kill();
  await bench.close();
}
process.exit();
