import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PATHS } from '../../src/protocol/wire.ts';
import { Bench } from '../helpers/programs.ts';
import { heartbeat, lineOf, packed } from '../hub/helpers.ts';
import { closed, Fleet } from './fleet.ts';

/*
 * Bytes that no client of ours would send, at every depth: HTTP, headers, frames, JSON, tokens. None is answered with
 * 5xx, none ends the hub, and a fleet is served meanwhile. SCOUT_SEED repeats a run.
 */

const seed = Number(process.env.SCOUT_SEED ?? Date.now() % 2 ** 31);
process.stdout.write(`SCOUT_SEED=${seed}\n`);
const CLIENTS = 2;
/** An answer takes milliseconds; a hub that waits for more than it is ever sent would be this late. */
const STUCK_MS = 25_000;

let bench: Bench;
let fleet: Fleet;
let key: string;
beforeAll(async () => {
  bench = new Bench();
  await bench.startHub();
  fleet = await Fleet.on(bench, CLIENTS + 1);
  // The last one's key is for the attacks: its books are no concern.
  key = fleet.clients.pop()?.key as string;
  fleet.start(20);
});
afterAll(async () => {
  await fleet.stop();
  await bench.close();
});

/** Writes bytes on a connection of their own, and no more; the statuses of what came back until the hub closed it. */
async function raw(bytes: Uint8Array): Promise<number[]> {
  const socket = connect({ host: '127.0.0.1', port: bench.port, ca: bench.ca });
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.end(bytes);
  const stuck = new AbortController();
  const late = delay(STUCK_MS, 'late', { signal: stuck.signal }).catch(() => 'in time');
  expect(await Promise.race([closed(socket), late])).not.toBe('late');
  stuck.abort();
  return [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
}

const check = async <T>(runs: number, made: fc.Arbitrary<T>, holds: (value: T) => Promise<void>) => {
  await fc.assert(fc.asyncProperty(made, holds), { seed, numRuns: runs });
  await fleet.more(CLIENTS);
  expect(bench.hub?.child.exitCode).toBeNull();
  expect(bench.hub?.output).not.toMatch(/a request failed|could not be stored/);
};
const noFault = (statuses: number[]) => {
  for (const status of statuses) expect(status).toBeLessThan(500);
};

/** Bytes with some of them replaced, left out, or repeated. */
const damaged = (bytes: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .array(
      fc.tuple(
        fc.nat(bytes.length),
        fc.nat(20),
        fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constantFrom('\r\n', '\0', ':', ' ', '\r\n\r\n')),
      ),
      {
        minLength: 1,
        maxLength: 5,
      },
    )
    .map((wounds) =>
      wounds.reduce(
        (whole, [at, length, put]) => Buffer.concat([whole.subarray(0, at), Buffer.from(put as string), whole.subarray(at + length)]),
        bytes,
      ),
    );

const beat = () => heartbeat({ instance: randomUUID() });
const whole = () =>
  Buffer.concat([
    Buffer.from(
      `POST ${PATHS.heartbeats} HTTP/1.1\r\nHost: hub\r\nX-API-Key: ${key}\r\nContent-Type: application/x-ndjson\r\nContent-Encoding: zstd\r\nContent-Length: ${packed([beat()]).length}\r\n\r\n`,
    ),
    packed([beat()]),
  ]);

it('bytes instead of HTTP', () =>
  check(100, fc.uint8Array({ minLength: 1, maxLength: 2_000 }), async (bytes) => noFault(await raw(bytes))));

it('a good request, damaged', () => check(150, damaged(whole()), async (bytes) => noFault(await raw(bytes))));

it('headers of every kind', () => {
  const text = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 50 });
  const name = fc.constantFrom(
    'content-type',
    'content-encoding',
    'content-length',
    'transfer-encoding',
    'expect',
    'upgrade',
    'connection',
    'authorization',
    'host',
    'cookie',
    'trailer',
    'te',
    'x-forwarded-for',
  );
  const path = fc.oneof(fc.constantFrom(...Object.values(PATHS), '/', '/healthz', '*', '/servers/%'), fc.webPath());
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'OPTIONS', 'CONNECT'),
    path,
    headers: fc.array(fc.tuple(name, text), { maxLength: 6 }),
  });
  return check(150, request, async ({ method, path, headers }) => {
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    noFault(await raw(Buffer.from(`${method} ${path} HTTP/1.1\r\nX-API-Key: ${key}\r\n${lines}\r\n{}`, 'latin1')));
  });
});

it('frames, damaged', () =>
  check(200, damaged(packed([beat(), beat(), beat()])), async (bytes) => {
    expect([200, 400, 413, 415]).toContain(await fleet.send(key, bytes));
  }));

it('JSON that is nearly a heartbeat', () => {
  const part = fc.constantFrom('v', 'instance', 'sequence', 'time', 'interval', 'agent', 'host', 'inventory', 'metrics', '__proto__');
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 1e308, 2 ** 53, '\u0000', '\ud800', null));
  return check(200, fc.array(fc.tuple(part, value), { minLength: 1, maxLength: 3 }), async (changes) => {
    const line = lineOf({ ...beat(), ...Object.fromEntries(changes) });
    expect([200, 400]).toContain(await fleet.send(key, line, { 'content-encoding': 'identity' }));
  });
});

it('JSON, damaged', () =>
  check(150, damaged(lineOf(beat())), async (bytes) => {
    expect([200, 400]).toContain(await fleet.send(key, bytes, { 'content-encoding': 'identity' }));
  }));

it('tokens of every kind', () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const json = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        alg: fc.constantFrom('RS256', 'none', 'HS256', 'ES256'),
        kid: fc.string(),
        iss: fc.constant('scout'),
        sub: fc.uuid(),
        iat: fc.jsonValue(),
        exp: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  );
  const token = fc
    .tuple(json, json, fc.base64String({ maxLength: 400 }))
    .map(([head, claims, end]) => `${part(head)}.${part(claims)}.${end}`);
  const mangled = fc.tuple(token, fc.nat(100)).map(([text, at]) => text.slice(at));
  const der = fc.uint8Array({ minLength: 800, maxLength: 1_300 }).map((bytes) => `MI${Buffer.from(bytes).toString('base64url')}`);
  return check(200, fc.oneof(token, mangled, der), async (text) => {
    // 429: so many wrong ones come from this address; a good key still passes, as the fleet shows.
    expect([401, 429]).toContain(await fleet.send('', packed([beat()]), { authorization: `Bearer ${text}` }));
  });
});
