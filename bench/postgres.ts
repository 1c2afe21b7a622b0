/**
 * `npm run bench:postgres [SECONDS]`: heartbeats of 300 points into the store, in batches as agents send them, by SQLite
 * and by PostgreSQL, each with its writes brought to disk: heartbeats a second that were durable, the hub's own
 * processor time for each, and PostgreSQL's beside it. No TLS and no HTTP: those cost the same for both.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { PostgresStore } from '../src/hub/store/postgres-store.ts';
import { SqliteStore } from '../src/hub/store/sqlite-store.ts';
import type { Incoming, Server, ServerKey, Store } from '../src/hub/store/store.ts';
import { pack } from '../src/protocol/frame.ts';
import { Postgres } from '../test/helpers/postgres.ts';
import { buildPrograms, machine, print, reading, sum, variations } from './lib.ts';

const SECONDS = Number(process.argv[2] ?? 8);
const AGENTS = 64;

buildPrograms();
const make = variations();
const frames = Array.from({ length: 50 }, (_, index) => pack(make(randomUUID(), index + 1, index)));
const folder = mkdtempSync(join(os.tmpdir(), 'scout-bench-'));
// As a server is set up: what it says is written is on the disk.
const postgres = await Postgres.start({ fsync: 'on', shared_buffers: '256MB', max_wal_size: '4GB' });

/** AGENTS of them send batches of `size` one after the other. */
async function measure(name: string, store: Store, size: number): Promise<string[]> {
  const agents = await Promise.all(Array.from({ length: AGENTS }, (_, index) => register(store, `${size}-${index}`)));
  const end = performance.now() + SECONDS * 1_000;
  const [cpu, others, start] = [process.cpuUsage(), serverSeconds(), performance.now()];
  const taken = await Promise.all(agents.map(({ server, key }) => send(store, server, key, size, end)));
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const count = taken.reduce((sum, one) => sum + one, 0);
  const each = (used: number) => `${((used / count) * 1e6).toFixed(0)} µs`;
  return [name, String(size), (count / seconds).toFixed(0), each((user + system) / 1e6), each(serverSeconds() - others)];
}

const serverSeconds = () => sum(postgres.pids().map(reading)).cpu;

async function register(store: Store, name: string): Promise<{ server: Server; key: ServerKey }> {
  const server: Server = { id: randomUUID(), org: 'default', name, policy: 'multi', graceMs: 0, createdAt: 1 };
  const hash = randomUUID().replaceAll('-', '').repeat(2);
  const rest = { name: null, slot: 'current' as const, enabled: true, createdAt: 1, validUntil: null, lastUsed: null };
  const key: ServerKey = { id: randomUUID(), serverId: server.id, hash, ...rest };
  await store.addServer(server, key);
  // The connections that the measuring uses are open, and their processes known.
  await store.accept(server, key, [], 1);
  return { server, key };
}

async function send(store: Store, server: Server, key: ServerKey, size: number, end: number): Promise<number> {
  const instance = randomUUID();
  let sequence = 0;
  while (performance.now() < end) {
    const batch = Array.from({ length: size }, (_, index): Incoming => {
      const frame = frames[(sequence + index) % frames.length] as Uint8Array;
      const about = { interval: 10, inventory: null, agentVersion: '0.1.0', hostName: server.name };
      return { instance, sequence: sequence + index + 1, time: Date.now() + index, frame, ...about };
    });
    await store.accept(server, { ...key, lastUsed: Date.now() }, batch, Date.now());
    sequence += size;
  }
  return sequence;
}

try {
  const rows: string[][] = [];
  for (const size of [1, 50]) {
    const sqlite = SqliteStore.open(join(folder, `${size}`));
    rows.push(await measure('SQLite', sqlite, size));
    await sqlite.close();
    const store = await PostgresStore.open(postgres.url(`bench_${size}`));
    rows.push(await measure('PostgreSQL', store, size));
    await store.close();
  }
  print(['store', 'batch', 'heartbeats/s', 'hub, each', 'PostgreSQL, each'], rows);
  console.log(
    `${machine()}; PostgreSQL ${readFileSync(join(postgres.folder, 'data/PG_VERSION'), 'utf8').trim()} on the same machine; ${AGENTS} agents`,
  );
} finally {
  await postgres.remove();
  rmSync(folder, { recursive: true, force: true });
}
