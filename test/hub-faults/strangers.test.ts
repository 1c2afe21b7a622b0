import { connect as connectPlain, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SqliteStore } from '../../src/hub/store/sqlite-store.ts';
import { PATHS } from '../../src/protocol/wire.ts';
import { Bench } from '../helpers/programs.ts';
import { closed, Fleet } from './fleet.ts';

/* Who opens connections by the hundred and sends a byte at a time, or nothing. */

const EACH = 150;
const CLIENTS = 8;
const BYTE_EVERY_MS = 500;

let bench: Bench;
let fleet: Fleet;
beforeAll(async () => {
  bench = new Bench();
  await bench.startHub();
  fleet = await Fleet.on(bench, CLIENTS);
});
afterAll(() => bench.close());

/** A connection on which `text` goes out a byte at a time; resolves, with what came back, when the hub closes it. */
async function drip(socket: Socket, first: string, text: string): Promise<string> {
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.on('error', () => {});
  socket.write(first);
  let at = 0;
  const timer = setInterval(() => socket.writable && socket.write(text[at++ % text.length] as string), BYTE_EVERY_MS);
  await closed(socket);
  clearInterval(timer);
  return answer;
}

async function silence(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  socket.resume();
  await closed(socket);
}

const secure = () => connect({ host: '127.0.0.1', port: bench.port, ca: bench.ca });
const plain = () => connectPlain(bench.port, '127.0.0.1');
const many = <T>(make: (index: number) => T): T[] => Array.from({ length: EACH }, (_, index) => make(index));

it('are cut off in time, and a fleet is served meanwhile as before', async () => {
  fleet.start(20);
  await fleet.more(CLIENTS);
  const head = `POST ${PATHS.heartbeats} HTTP/1.1\r\nhost: hub\r\nx-slow: `;
  // Without a key a body is not waited for.
  const body = (path: string) => `POST ${path} HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: 10000\r\n\r\n`;
  const dripping = [
    many(() => drip(secure(), head, 'a')),
    many(() => drip(secure(), '', `GET /${'a'.repeat(1_000)}`)),
    many(() => drip(plain(), '', '\x16\x03\x01')),
    many(() => drip(plain(), '', '\n')),
  ];
  const bodies = many((index) => drip(secure(), body([PATHS.heartbeats, PATHS.mint][index % 2] as string), '{'));
  const silent = many((index) => silence(index % 2 === 0 ? secure() : plain()));
  await delay(1_000);
  const before = fleet.acknowledged;
  await fleet.more(10 * CLIENTS);
  expect(fleet.acknowledged - before).toBeGreaterThanOrEqual(10 * CLIENTS);

  const [headers, lines] = await Promise.all(dripping.map((all) => Promise.all(all)));
  for (const answer of [...(headers ?? []), ...(lines ?? [])]) expect(answer).toMatch(/^HTTP\/1\.1 408 .*application\/problem\+json/s);
  await Promise.all(silent);
  for (const answer of await Promise.all(bodies))
    expect(answer).toMatch(/^HTTP\/1\.1 (401 .*"code":"key_missing"|429 .*"code":"too_many")/s);
  await fleet.more(CLIENTS);
  await fleet.stop();
  expect(fleet.problems).toEqual([]);
  expect(await bench.hub?.end()).toBe(0);
  const store = SqliteStore.open(bench.data);
  await fleet.verify(store);
  await store.close();
});
