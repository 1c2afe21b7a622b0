/**
 * `npm run bench:wire`: bytes of one heartbeat of this host, as `scout-agent sample --json` gives it, on the wire (the
 * body; headers not counted), beside the same JSON under other codings. A host with few devices has fewer than 300
 * points; then more of its processes are named until it has them.
 */
import { execFileSync } from 'node:child_process';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from '../src/protocol/frame.ts';
import type { Heartbeat } from '../src/protocol/heartbeat.ts';
import { AGENT } from '../test/helpers/programs.ts';
import { buildPrograms, machine, print } from './lib.ts';

const LEAST = 300;

const sample = (top: number): Heartbeat => {
  const env = { ...process.env, SCOUT_COLLECTORS_PROCESSES_TOP: String(top) };
  return JSON.parse(execFileSync(process.execPath, [AGENT, 'sample', '--json'], { encoding: 'utf8', env }));
};
const points = (heartbeat: Heartbeat) => heartbeat.metrics.reduce((sum, metric) => sum + metric.points.length, 0);

buildPrograms();
let top = 5;
let heartbeat = sample(top);
while (points(heartbeat) < LEAST && top < 50) {
  top += 1;
  heartbeat = sample(top);
}
const json = JSON.stringify(heartbeat);
const sent = pack(json).length;
const row = (name: string, bytes: number) => [name, bytes, (bytes / points(heartbeat)).toFixed(1), (bytes / sent).toFixed(2)];

process.stdout.write(
  `${machine()}\n${points(heartbeat)} points in ${heartbeat.metrics.length} metrics, ${top} processes named by each measure\n\n`,
);
print(
  ['coding', 'bytes', 'bytes a point', '× as sent'],
  [
    row('as sent: zstd with the dictionary', sent),
    row('zstd, level 6', zstdCompressSync(json, { params: { 100: 6 } }).length),
    row('gzip', gzipSync(json).length),
    row('brotli, level 11', brotliCompressSync(json).length),
    row('plain JSON', Buffer.byteLength(json)),
  ],
);
process.stdout.write('\nto reach: 2500 bytes\n');
