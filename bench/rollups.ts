/**
 * `npm run bench:rollups [COUNT]`: what is done with heartbeats beside taking them, in processor time for each: COUNT
 * of them (6,000), this host's own, a minute's worth of 1,000 servers or so. Rolled up (sixty to one), and made into
 * requests of OTLP as forwarding sends them; the store's own part, opening and packing are all in it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { convert } from '../src/hub/forward/convert.ts';
import type { Hub } from '../src/hub/hub.ts';
import { Roller } from '../src/hub/rollups/roller.ts';
import { SqliteStore } from '../src/hub/store/sqlite-store.ts';
import type { Server, ServerKey } from '../src/hub/store/store.ts';
import { ROLLUP_MS } from '../src/hub/store/stream.ts';
import { pack } from '../src/protocol/frame.ts';
import type { Heartbeat } from '../src/protocol/heartbeat.ts';
import { buildPrograms, machine, print, variations } from './lib.ts';

const count = Number(process.argv[2] ?? 6_000);
const EVERY_MS = 10_000;
const PER_STRETCH = ROLLUP_MS / EVERY_MS;

buildPrograms();
const make = variations();
const folder = mkdtempSync(join(os.tmpdir(), 'scout-rollups-'));
const store = SqliteStore.open(folder);
const start = Math.floor(Date.now() / ROLLUP_MS) * ROLLUP_MS;
let frameBytes = 0;
let points = 0;

async function fill(): Promise<void> {
  for (let first = 0; first < count; first += PER_STRETCH) {
    const server: Server = { id: crypto.randomUUID(), org: 'default', name: `s${first}`, policy: 'grace', graceMs: 0, createdAt: 0 };
    const hash = first.toString(16).padStart(64, '0');
    const key: ServerKey = {
      ...{ id: crypto.randomUUID(), serverId: server.id, name: null, hash, slot: 'current' },
      ...{ enabled: true, createdAt: 0, validUntil: null, lastUsed: null },
    };
    await store.addServer(server, key);
    const instance = crypto.randomUUID();
    const batch = Array.from({ length: Math.min(PER_STRETCH, count - first) }, (_, index) => {
      const time = start + index * EVERY_MS;
      const json = make(instance, index + 1, time);
      const frame = pack(json);
      frameBytes += frame.length;
      if (first === 0 && index === 0) points = (JSON.parse(json) as Heartbeat).metrics.reduce((sum, one) => sum + one.points.length, 0);
      return { instance, sequence: index + 1, time, interval: 10, frame, inventory: null, agentVersion: '1', hostName: 'h' };
    });
    await store.accept(server, key, batch, start);
  }
}

/** Processor time of work, in ms for each heartbeat. */
async function cost(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / count;
}

async function roll(): Promise<void> {
  const hub: Hub = { store, now: () => start + 2 * ROLLUP_MS, monotonic: () => 0, serviceId: '', publicOrigin: '' };
  const roller = new Roller(hub);
  while ((await roller.step()) === 0);
}

let bodyBytes = 0;
async function forward(): Promise<void> {
  for (let place = 0; ; ) {
    const rows = await store.after(place, 64, 262_144);
    if (rows.length === 0) return;
    const { body, rows: taken } = convert(rows, () => ({ organisation: 'default', facts: {} }));
    bodyBytes += gzipSync(body, { level: 1 }).length;
    place = rows[taken - 1]!.place;
  }
}

try {
  await fill();
  const rolling = await cost(roll);
  const forwarding = await cost(forward);
  const stretches = await Promise.all((await store.servers('default')).map((one) => store.rollups(one.id, 0, start + 1)));
  const rolled = stretches.flat();
  const rolledBytes = rolled.reduce((sum, one) => sum + one.frame.length, 0) / rolled.length;
  process.stdout.write(`${machine()}; ${count} heartbeats of ${points} points\n\n`);
  print(
    ['', 'processor ms each', 'of one core at 1,000 a second', 'bytes'],
    [
      ['rolled up', rolling.toFixed(3), `${(rolling * 100).toFixed(0)} %`, `${Math.round(rolledBytes)} a roll-up`],
      ['forwarded', forwarding.toFixed(3), `${(forwarding * 100).toFixed(0)} %`, `${Math.round(bodyBytes / count)} a heartbeat`],
      ['kept in the window', '', '', `${Math.round(frameBytes / count)} a heartbeat`],
    ],
  );
} finally {
  await store.close();
  rmSync(folder, { recursive: true });
}
