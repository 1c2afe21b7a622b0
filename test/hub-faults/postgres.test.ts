import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PostgresStore } from '../../src/hub/store/postgres-store.ts';
import { Postgres } from '../helpers/postgres.ts';
import { Bench, freePort, HUB, Running } from '../helpers/programs.ts';
import { Fleet } from './fleet.ts';

const CLIENTS = 8;

/** As on a server that is somebody's: an acknowledged commit is on disk. */
const SETTINGS = { fsync: 'on' };

let postgres: Postgres;
let url: string;
const bench = new Bench();
beforeAll(async () => {
  postgres = await Postgres.start(SETTINGS);
  url = `${postgres.url()}&timeout=1`;
  bench.port = await freePort();
  await startHub();
});
afterAll(async () => {
  await bench.close();
  await postgres.remove();
});

async function startHub(): Promise<void> {
  const args = ['serve', '--listen', `127.0.0.1:${bench.port}`, '--data', bench.data, '--tls-self-signed'];
  bench.hub = new Running(HUB, args, { ...process.env, SCOUT_HUB_DATABASE: url });
  await bench.hub.said('ready');
}

it('under load PostgreSQL dies, hangs and stops, and the hub dies: nothing acknowledged is lost, nothing is there twice', {
  timeout: 120_000,
}, async () => {
  const store = await PostgresStore.open(url);
  const fleet = new Fleet(bench.port, bench.ca);
  await fleet.register(store, CLIENTS);
  fleet.start(5);
  await fleet.more(5 * CLIENTS);
  const failed = async () => {
    const before = fleet.problems.length;
    while (fleet.problems.length < before + CLIENTS) await delay(20);
  };
  for (const [away, back] of [
    [() => postgres.kill(), () => postgres.start()],
    [async () => postgres.pause(), async () => postgres.resume()],
    [() => postgres.stop(), () => postgres.start()],
  ] as const) {
    await away();
    await failed();
    await back();
    await fleet.more(5 * CLIENTS);
  }
  expect(await bench.hub?.end('SIGKILL')).toBe('SIGKILL');
  await startHub();
  await fleet.more(5 * CLIENTS);
  await fleet.stop();

  const kinds = new Set(fleet.problems.map(({ status, type, code }) => `${status} ${type} ${code}`));
  expect([...kinds]).toEqual(['503 application/problem+json not_ready']);
  expect(await bench.hub?.end()).toBe(0);
  await fleet.verify(store);
  await store.close();
});
