import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SqliteStore } from '../../src/hub/store/sqlite-store.ts';
import { Bench } from '../helpers/programs.ts';
import { Fleet } from './fleet.ts';

const CLIENTS = 16;
const LIVES = 8;

let bench: Bench;
beforeAll(async () => {
  bench = new Bench();
  await bench.startHub();
});
afterAll(() => bench.close());

it(`loses and doubles nothing through ${LIVES} times kill -9 under load`, async () => {
  const store = SqliteStore.open(bench.data);
  const fleet = new Fleet(bench.port, bench.ca);
  await fleet.register(store, CLIENTS);
  await store.close();
  fleet.start();
  for (let life = 0; life < LIVES; life++) {
    await fleet.more(CLIENTS);
    // The random instant is the subject of the test: in a transaction, in a commit, in an answer.
    await delay(randomInt(0, 200));
    expect(await bench.hub?.end('SIGKILL')).toBe('SIGKILL');
    await bench.startHub();
  }
  await fleet.more(CLIENTS);
  await fleet.stop();
  expect(await bench.hub?.end()).toBe(0);

  const after = SqliteStore.open(bench.data);
  await fleet.verify(after);
  const { counted, rows } = await fleet.kept(after);
  expect(rows).toBe(counted);
  await after.close();
  expect(fleet.problems).toEqual([]);
});
