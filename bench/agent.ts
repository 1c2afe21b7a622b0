/**
 * `npm run bench:agent [SECONDS]`: what the agent costs at a 10 s interval with every collector on, beside a bare Node
 * timer, a bare Node loop that reads and posts (bench/floor.mjs), and what a user would run instead: node_exporter,
 * scraped by vmagent, which buffers and pushes. All run at once, so they share the machine's mood. The peers come
 * from Debian's packages, unpacked into a temporary folder; without them (no apt) their rows are left out.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AGENT, Bench, freePort, Running } from '../test/helpers/programs.ts';
import { buildPrograms, machine, print, type Reading, reading, sum } from './lib.ts';
import { peer } from './peers.ts';

const seconds = Number(process.argv[2] ?? 180);
const WARM_UP = 30;

const bench = new Bench();
const children: ChildProcess[] = [];
const start = (command: string, args: string[]): number => {
  const child = spawn(command, args, { stdio: 'ignore' });
  children.push(child);
  return child.pid as number;
};

/** node_exporter and the vmagent that scrapes it, or the reason why they are not here. */
async function pair(): Promise<{ exporter: number; vmagent: number } | string> {
  const exporterPath = peer('prometheus-node-exporter', 'usr/bin/prometheus-node-exporter');
  const vmagentPath = peer('vmagent', 'usr/bin/vmagent', 'victoria-metrics');
  if (!exporterPath || !vmagentPath) return 'node_exporter and vmagent are not to be had here (no Debian packages)';
  const sink = createServer((asked, answer) => asked.resume().on('end', () => answer.writeHead(204).end()));
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  sink.unref();
  const port = await freePort();
  const scrape = join(bench.folder, 'scrape.yml');
  writeFileSync(
    scrape,
    `global: {scrape_interval: 10s}\nscrape_configs:\n  - job_name: node\n    static_configs: [{targets: ['127.0.0.1:${port}']}]\n`,
  );
  mkdirSync(join(bench.folder, 'vmagent'));
  const exporter = start(exporterPath, [`--web.listen-address=127.0.0.1:${port}`]);
  const vmagent = start(vmagentPath, [
    `-promscrape.config=${scrape}`,
    `-remoteWrite.url=http://127.0.0.1:${(sink.address() as AddressInfo).port}/api/v1/write`,
    `-remoteWrite.tmpDataPath=${join(bench.folder, 'vmagent')}`,
    `-httpListenAddr=127.0.0.1:${await freePort()}`,
  ]);
  return { exporter, vmagent };
}

try {
  buildPrograms();
  await bench.startHub();
  const { key } = await bench.addServer('bench');
  const agent = new Running(AGENT, ['run', '--config', bench.configure('bench', key)]);
  children.push(agent.child);
  await agent.said('started');
  const timer = start(process.execPath, ['-e', 'setInterval(() => {}, 10000)']);
  const floor = start(process.execPath, [
    fileURLToPath(new URL('floor.mjs', import.meta.url)),
    `${bench.endpoint}/healthz`,
    join(bench.data, 'ca.pem'),
  ]);
  const found = await pair();

  const groups: [string, number[]][] = [
    ['scout-agent, every collector', [agent.child.pid as number]],
    ['bare Node 26, one timer', [timer]],
    ['bare Node 26, 13 files + POST', [floor]],
  ];
  if (typeof found === 'string') process.stderr.write(`${found}\n`);
  else
    groups.push(
      ['node_exporter', [found.exporter]],
      ['vmagent', [found.vmagent]],
      ['node_exporter + vmagent', [found.exporter, found.vmagent]],
    );

  process.stderr.write(`${WARM_UP} s to warm up, then ${seconds} s measured …\n`);
  await delay(WARM_UP * 1_000);
  const read = () => groups.map(([, pids]) => sum(pids.map(reading)));
  const before = read();
  await delay(seconds * 1_000);
  const after = read();

  const perMinute = (index: number) => (((after[index] as Reading).cpu - (before[index] as Reading).cpu) * 60) / seconds;
  process.stdout.write(`${machine()}; ${seconds} s\n\n`);
  print(
    ['every 10 s', 'private MB', 'RSS MB', 'CPU s/min'],
    groups.map(([name], index) => [
      name,
      (after[index] as Reading).anon.toFixed(1),
      (after[index] as Reading).rss.toFixed(1),
      perMinute(index).toFixed(3),
    ]),
  );
  const ratio = (of: number, pick: (index: number) => number) => (pick(0) / pick(of)).toFixed(2);
  const anon = (index: number) => (after[index] as Reading).anon;
  process.stdout.write(`\nagent / bare loop: private ${ratio(2, anon)} (to reach: 1.15), CPU ${ratio(2, perMinute)}\n`);
  if (groups.length > 3)
    process.stdout.write(`agent / pair: private ${ratio(5, anon)} (to reach: 1.00), CPU ${ratio(5, perMinute)} (to reach: 0.25)\n`);
  const shown = await bench.show('bench');
  process.stdout.write(`heartbeats accepted meanwhile: ${shown.instances[0]?.accepted}\n`);
} finally {
  for (const child of children) child.kill();
  await bench.close();
}
process.exit();
