/**
 * `npm run bench:outbox [COUNT]`: fills an outbox with COUNT heartbeats (100,000) of 300 points, then drains it to a
 * real hub over TLS from a process that does nothing else: heartbeats a second, and memory at the peak against idle,
 * idle being the same process after one heartbeat went the same way.
 */
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Outbox } from '../src/delivery/outbox.ts';
import { ScoutDestination } from '../src/delivery/scout.ts';
import { Sender } from '../src/delivery/sender.ts';
import { Spool } from '../src/delivery/spool.ts';
import { Transport } from '../src/delivery/transport.ts';
import { API_KEY_HEADER } from '../src/protocol/wire.ts';
import { fingerprint } from '../src/support/fingerprint.ts';
import { realHost } from '../src/support/host.ts';
import { Bench } from '../test/helpers/programs.ts';
import { machine, print, reading } from './lib.ts';

const GROUP = 500;
const MAX_BYTES = 4 * 2 ** 30;

interface Job {
  folder: string;
  endpoint: string;
  ca: string;
  key: string;
}

/** What the draining process reports; memory in MB. */
interface Drained {
  idle: { rss: number; anon: number };
  peak: { rss: number; anon: number };
  seconds: number;
  cpu: number;
  requests: number;
}

/** 30 metrics of 10 points whose numbers differ from one heartbeat to the next, as counters and gauges do. */
function metrics(tick: number) {
  return Array.from({ length: 30 }, (_, metric) => ({
    name: `system.bench.metric_${metric}`,
    unit: metric % 2 ? 'By' : 's',
    type: metric % 3 ? 'counter' : 'gauge',
    attributes: ['system.device', 'direction'],
    points: Array.from({ length: 10 }, (_, point) => {
      const grown = tick * (metric + 1) * 97 + point * 1_000_003;
      const value = metric % 2 ? grown + Math.floor(Math.random() * 9_999) : Number((grown / 100 + Math.random() * 10).toFixed(2));
      return [`dev${point >> 1}`, point % 2 ? 'read' : 'write', value];
    }),
  }));
}

function heartbeat(instance: string, sequence: number, time: number): string {
  const agent = { version: '0.0.0' };
  return JSON.stringify({ v: 1, instance, sequence, time, interval: 10, agent, host: { name: 'bench' }, metrics: metrics(sequence) });
}

function fill(path: string, count: number): void {
  const outbox = Outbox.open(path, { maxBytes: MAX_BYTES });
  outbox.setDestinations(['api']);
  const start = Date.now() - count * 10;
  for (let done = 0; done < count; done += GROUP) {
    const group = Array.from({ length: Math.min(GROUP, count - done) }, (_, index) => (instance: string, sequence: number) => {
      const time = start + (done + index) * 10;
      return { json: heartbeat(instance, sequence, time), time };
    });
    outbox.appendGroup(group);
  }
  outbox.close();
}

/** The draining process: its job comes on stdin, since a key is in it. */
async function drain(): Promise<void> {
  const job = JSON.parse(await text(process.stdin)) as Job;
  const host = realHost();
  const quiet = () => {};
  const complain = (fields: object, message: string) => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
  const log = { debug: quiet, info: quiet, warn: complain, error: complain };
  const { endpoint, key } = job;
  const credential = { fingerprint: fingerprint(key), headers: () => ({ [API_KEY_HEADER]: key }) };
  const transport = new Transport({ endpoint, tls: { ca_file: job.ca }, env: {} });
  const destination = new ScoutDestination({ name: 'api', endpoint, credential: () => credential, transport, host, timeout: 30_000 });
  let peak = 0;
  let requests = 0;
  const empty = async (name: string, append: boolean): Promise<void> => {
    const spool = new Spool({ path: join(job.folder, name), maxBytes: MAX_BYTES, minFreeBytes: 0, host, log });
    spool.open();
    spool.setDestinations(['api']);
    if (append) spool.append((instance, sequence) => ({ json: heartbeat(instance, sequence, Date.now()), time: Date.now() }));
    const { promise, resolve } = Promise.withResolvers<void>();
    const onOutcome = () => {
      requests++;
      peak = Math.max(peak, reading(process.pid).anon);
      if (spool.depth('api') === 0) resolve();
    };
    const sender = new Sender({ destination, spool, host, log, onOutcome });
    sender.start();
    await promise;
    await sender.stop(1_000);
    spool.close();
  };

  await empty('idle.db', true);
  await delay(2_000);
  const idle = reading(process.pid);
  // Sets the highest resident size back to the present one (proc_pid_clear_refs(5)).
  writeFileSync('/proc/self/clear_refs', '5');
  [peak, requests] = [0, 0];
  const start = performance.now();
  await empty('outbox.db', false);
  const seconds = (performance.now() - start) / 1_000;
  const after = reading(process.pid);
  const highest = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0) / 1_000;
  destination.close();
  const report: Drained = { idle, peak: { rss: highest, anon: peak }, seconds, cpu: after.cpu - idle.cpu, requests };
  process.stdout.write(JSON.stringify(report));
}

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 100_000);
  const bench = new Bench();
  try {
    await bench.startHub();
    const { key } = await bench.addServer('bench');
    const path = join(bench.folder, 'outbox.db');
    const before = performance.now();
    fill(path, count);
    const filled = (performance.now() - before) / 1_000;
    const size = statSync(path).size;
    const hubBefore = reading(bench.hub?.child.pid as number);

    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'drain'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const job: Job = { folder: bench.folder, endpoint: bench.endpoint, ca: join(bench.data, 'ca.pem'), key };
    child.stdin.end(JSON.stringify(job));
    const { idle, peak, seconds, cpu, requests } = JSON.parse(await text(child.stdout)) as Drained;
    const hub = reading(bench.hub?.child.pid as number);

    const { instances } = await bench.show('bench');
    const big = instances.find(({ last_sequence }) => last_sequence === count);
    if (big?.accepted !== count || big.gaps.length > 0)
      throw new Error(`the hub holds ${big?.accepted} of ${count}, gaps ${JSON.stringify(big?.gaps)}`);

    process.stdout.write(`${machine()}\n\n`);
    print(
      ['draining', 'figure', 'target'],
      [
        ['heartbeats held', count, ''],
        ['bytes of the file, each', Math.round(size / count), ''],
        ['filled, a second', Math.round(count / filled), ''],
        ['drained, a second', Math.round(count / seconds), '>= 2000'],
        ['requests', requests, ''],
        ['RSS idle, MB', idle.rss.toFixed(1), ''],
        ['RSS peak, MB', `${peak.rss.toFixed(1)} (+${(peak.rss - idle.rss).toFixed(1)})`, '<= +25'],
        ['private idle, MB', idle.anon.toFixed(1), ''],
        ['private peak, MB', `${peak.anon.toFixed(1)} (+${(peak.anon - idle.anon).toFixed(1)})`, '<= +25'],
        ['processor s, sender', cpu.toFixed(1), ''],
        ['processor s, hub', (hub.cpu - hubBefore.cpu).toFixed(1), ''],
      ],
    );
  } finally {
    await bench.close();
  }
}

await (process.argv[2] === 'drain' ? drain() : main());
