import { randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { reading } from '../../bench/lib.ts';
import { Bench, freePort, HUB, Running } from '../helpers/programs.ts';
import { heartbeat, packed } from '../hub/helpers.ts';
import { closed, Fleet } from './fleet.ts';

/*
 * What the hub keeps in memory of a request, a connection, a wrong key: nothing. A small heap makes its collector settle
 * what is no longer used before it asks for more, so that resident memory tells of what is kept. SCOUT_ROUNDS for a longer look.
 */

const ROUNDS = Number(process.env.SCOUT_ROUNDS ?? 8);
const CLIENTS = 40;
const REQUESTS = 50;
const CONNECTIONS = 50;
const WRONG_KEYS = 60;
/** kB that may stay of a request. Over 70,000 of them it is 0.02; so few as here leave an uncertainty of half a kB. */
const MOST_KB = 2;

let bench: Bench;
beforeAll(async () => {
  bench = new Bench();
  bench.port = await freePort();
  const args = ['serve', '--listen', `127.0.0.1:${bench.port}`, '--data', bench.data, '--tls-self-signed'];
  bench.hub = new Running(HUB, args, { ...process.env, NODE_OPTIONS: '--max-old-space-size=32 --max-semi-space-size=2' });
  await bench.hub.said('ready');
});
afterAll(() => bench.close());

it('memory under load stays where it is', { timeout: 180_000 }, async () => {
  const fleet = await Fleet.on(bench, CLIENTS);
  // The same again and again: all that is done for a heartbeat is done, and the database with its cache does not grow.
  const body = packed([heartbeat({ instance: randomUUID() })]);
  const resident: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all([
      ...fleet.clients.map(async ({ key }) => {
        for (let index = 0; index < REQUESTS; index++) expect(await fleet.send(key, body)).toBe(200);
      }),
      ...Array.from({ length: CONNECTIONS }, comeAndGo),
      ...Array.from({ length: WRONG_KEYS }, () => fleet.send(randomBytes(32).toString('hex'), body)),
    ]);
    resident.push(reading(bench.hub?.child.pid as number).rss);
  }
  await fleet.stop();
  const half = ROUNDS >> 1;
  const [middle, end] = [resident.slice(half - 1, half + 1), resident.slice(-2)].map((some) => Math.min(...some)) as [number, number];
  const kept = ((end - middle) * 1_000) / ((ROUNDS - half - 1) * CLIENTS * REQUESTS);
  process.stdout.write(
    `resident after each ${CLIENTS * REQUESTS} requests: ${resident.map((mb) => mb.toFixed(0)).join(', ')} MB; kept of each: ${kept.toFixed(2)} kB\n`,
  );
  expect(kept).toBeLessThan(MOST_KB);
  expect(bench.hub?.child.exitCode).toBeNull();
});

async function comeAndGo(): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: bench.port, ca: bench.ca }, () => socket.end());
  socket.on('error', () => {});
  socket.resume();
  await closed(socket);
}
