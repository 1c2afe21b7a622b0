/**
 * `npm run bench:outbox [COUNT]`: an outbox with COUNT heartbeats (100,000) of about 300 points, drained to a real hub
 * over TLS by the agent as it ships: heartbeats a second, and its memory at the peak against its own before, when it
 * idled on an empty outbox. Both programs and the benchmark share this machine.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { machineMark } from '../src/delivery/machine.ts';
import { Outbox } from '../src/delivery/outbox.ts';
import { realHost } from '../src/support/host.ts';
import { AGENT, Bench, Running } from '../test/helpers/programs.ts';
import { buildPrograms, machine, print, reading, variations } from './lib.ts';

const GROUP = 500;
const IDLE_SECONDS = 20;
const SETTINGS = 'interval: 1h\noutbox: {max_bytes: 4GiB, min_free_bytes: 0}\nlog: {format: json}\n';

function fill(path: string, count: number): void {
  const make = variations();
  const machine = machineMark(realHost());
  const outbox = Outbox.open(path, { maxBytes: 4 * 2 ** 30, ...(machine && { machine }) });
  outbox.setDestinations(['api']);
  const start = Date.now() - count * 10;
  for (let done = 0; done < count; done += GROUP) {
    const group = Array.from({ length: Math.min(GROUP, count - done) }, (_, index) => (instance: string, sequence: number) => {
      const time = start + (done + index) * 10;
      return { json: make(instance, sequence, time), time };
    });
    outbox.appendGroup(group);
  }
  outbox.close();
}

/** Highest resident megabytes since the mark was last set back (proc_pid_status(5), proc_pid_clear_refs(5)). */
const highest = (pid: number) => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1_000;

const count = Number(process.argv[2] ?? 100_000);
const bench = new Bench();
try {
  buildPrograms();
  await bench.startHub();
  const { key } = await bench.addServer('bench');
  const config = bench.configure('bench', key, SETTINGS);
  const state = join(bench.folder, 'bench-state');

  const idler = new Running(AGENT, ['run', '--config', config]);
  await idler.said('"started"');
  await delay(IDLE_SECONDS * 1_000);
  const idle = reading(idler.child.pid as number);
  await idler.end();
  rmSync(state, { recursive: true });

  mkdirSync(state);
  const path = join(state, 'outbox.db');
  process.stderr.write(`filling with ${count} heartbeats …\n`);
  const before = performance.now();
  fill(path, count);
  const filled = (performance.now() - before) / 1_000;
  const size = statSync(path).size;

  const hubBefore = reading(bench.hub?.child.pid as number).cpu;
  const agent = new Running(AGENT, ['run', '--config', config]);
  await agent.said('"started"');
  const pid = agent.child.pid as number;
  const start = performance.now();
  if (existsSync(`/proc/${pid}/clear_refs`)) writeFileSync(`/proc/${pid}/clear_refs`, '5');
  let anon = 0;
  let held = count;
  while (held > 0) {
    await delay(50);
    anon = Math.max(anon, reading(pid).anon);
    const { instances } = await bench.show('bench');
    held = count - Math.max(0, ...instances.map((books) => (books.last_sequence > 1 ? books.accepted : 0)));
  }
  const seconds = (performance.now() - start) / 1_000;
  const peak = highest(pid);
  const { cpu } = reading(pid);
  const hub = reading(bench.hub?.child.pid as number).cpu - hubBefore;
  await agent.end();
  const books = (await bench.show('bench')).instances.find(({ last_sequence }) => last_sequence > count);
  if (books?.gaps.length !== 0) throw new Error(`the hub's books: ${JSON.stringify(books)}`);

  process.stdout.write(`${machine()}\n\n`);
  print(
    ['draining', 'figure', 'to reach'],
    [
      ['heartbeats held', count, ''],
      ['bytes of the file, each', Math.round(size / count), ''],
      ['filled, a second', Math.round(count / filled), ''],
      ['drained, a second', Math.round(count / seconds), '2000'],
      ['RSS idle, MB', idle.rss.toFixed(1), ''],
      ['RSS peak, MB', `${peak.toFixed(1)} (+${(peak - idle.rss).toFixed(1)})`, '+25'],
      ['private idle, MB', idle.anon.toFixed(1), ''],
      ['private peak, MB', `${anon.toFixed(1)} (+${(anon - idle.anon).toFixed(1)})`, '+25'],
      ['processor s, agent', cpu.toFixed(1), ''],
      ['processor s, hub', hub.toFixed(1), ''],
    ],
  );
} finally {
  await bench.close();
}
