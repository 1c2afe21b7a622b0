/**
 * `npm run bench:store [COUNT]`: single durable appends of COUNT heartbeats (2,000) a round, by the outbox on SQLite and
 * by the least that a file of our own would need (length, checksum, frame, fdatasync), in turn: appends a second and
 * processor time each. Both pack the same heartbeats.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writevSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Outbox } from '../src/delivery/outbox.ts';
import { pack } from '../src/protocol/frame.ts';
import { buildPrograms, machine, median, print, variations } from './lib.ts';

const ROUNDS = 5;
const count = Number(process.argv[2] ?? 2_000);

buildPrograms();
const make = variations();
const folder = mkdtempSync(join(os.tmpdir(), 'scout-store-'));

function bySqlite(): void {
  const outbox = Outbox.open(join(folder, `${Math.random()}.db`), { maxBytes: 2 ** 30 });
  for (let index = 0; index < count; index += 1)
    outbox.append((instance, sequence) => ({ json: make(instance, sequence, index), time: index }));
  outbox.close();
}

function byFile(): void {
  const file = openSync(join(folder, `${Math.random()}.log`), 'a');
  const instance = crypto.randomUUID();
  for (let index = 0; index < count; index += 1) {
    const frame = pack(make(instance, index + 1, index));
    const header = Buffer.alloc(8);
    header.writeUInt32LE(frame.length, 0);
    header.writeUInt32LE(crc32(frame), 4);
    writevSync(file, [header, frame]);
    fdatasyncSync(file);
  }
  closeSync(file);
}

/** What only makes and packs the heartbeats costs; taken off both. */
function byNothing(): void {
  const instance = crypto.randomUUID();
  for (let index = 0; index < count; index += 1) pack(make(instance, index + 1, index));
}

const ways = [
  ['making and packing alone', byNothing],
  ['SQLite, WAL, synchronous FULL', bySqlite],
  ['a file of our own', byFile],
] as const;
const found = new Map<string, { rate: number[]; cpu: number[] }>(ways.map(([name]) => [name, { rate: [], cpu: [] }]));
try {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, run] of ways) {
      const [start, before] = [performance.now(), process.cpuUsage()];
      run();
      const { user, system } = process.cpuUsage(before);
      found.get(name)?.rate.push((count * 1_000) / (performance.now() - start));
      found.get(name)?.cpu.push((user + system) / 1_000 / count);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
process.stdout.write(`${machine()}; ${ROUNDS} rounds of ${count}, medians\n\n`);
print(
  ['', 'a second', 'processor ms each'],
  [...found].map(([name, { rate, cpu }]) => [name, Math.round(median(rate)), median(cpu).toFixed(2)]),
);
