import type { ServerResponse } from 'node:http';
import { afterAll, expect, it } from 'vitest';
import { unpack } from '../../src/protocol/frame.ts';
import { accept, answer, authority, body, serve } from '../delivery/tls.ts';
import { lines, statusBecomes } from '../helpers/agent-life.ts';
import { AGENT, Bench, Running } from '../helpers/programs.ts';

/* The running agent against everything that can stand where the service should: nothing is lost, and `status` says what it met. */

const KEY = 'ab'.repeat(32);
const own = authority();
const bench = new Bench();
let names = 0;

afterAll(() => bench.close());

type Lie = (response: ServerResponse) => void;
interface Expected {
  state?: string;
  reason: string;
  detail: RegExp;
}

const page = (status: number, headers: Record<string, string> = {}): Lie => {
  return (response) => response.writeHead(status, { 'content-type': 'text/html', ...headers }).end('<h1>Hello</h1>');
};
const says = (status: number, headers: Record<string, string> = {}): Lie => {
  return (response) => answer(response, status, { detail: 'words of the service' }, headers);
};

const LIES: [name: string, lie: Lie, expected: Expected][] = [
  ['401 of the service', says(401), { state: 'unauthorized', reason: 'unauthorized', detail: /words of the service/ }],
  ['401 of a proxy', page(401, { 'www-authenticate': 'Basic' }), { reason: 'unexpected', detail: /401, but not from the service/ }],
  ['403 of the service', says(403), { state: 'forbidden', reason: 'forbidden', detail: /words of the service/ }],
  ['a page with 200', page(200), { reason: 'unexpected', detail: /text\/html page came with 200/ }],
  ['413 of a proxy', page(413), { reason: 'unexpected', detail: /413/ }],
  ['429 with Retry-After', says(429, { 'retry-after': '1' }), { reason: 'busy', detail: /words of the service/ }],
  ['500', page(500), { reason: 'server-error', detail: /500/ }],
  ['302', page(302, { location: 'https://127.0.0.1:9/login' }), { reason: 'unexpected', detail: /sends elsewhere/ }],
  [
    'a reset in the middle of the answer',
    (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"accepted":');
      setImmediate(() => response.socket?.destroy());
    },
    { reason: 'reset', detail: /closed the connection/ },
  ],
  ['an answer that does not add up', (response) => accept(response, 0, 0), { reason: 'unexpected', detail: /does not account for all/ }],
  ['no answer at all', () => {}, { reason: 'timeout', detail: /no answer within 1 s/ }],
];

it.each(LIES)('%s: keeps every heartbeat, says why, and delivers them once when the service is back', async (_, lie, expected) => {
  const got: number[] = [];
  let honest = false;
  const { endpoint } = await serve(own.issue(), async (request, response) => {
    const sent = unpack(await body(request), 64 << 20);
    if (!honest) return lie(response);
    const sequences = sent.toString().trim().split('\n');
    got.push(...sequences.map((line) => JSON.parse(line).sequence as number));
    accept(response, sequences.length);
  });
  const { config, run } = start(endpoint);
  const met = await statusBecomes(config, ({ destinations, outbox }) => destinations[0]?.problem !== null && outbox.depth > 2);
  expect(met.state).toBe('degraded');
  expect(met.destinations[0]).toMatchObject({
    state: expected.state ?? 'retrying',
    problem: { reason: expected.reason, detail: expect.stringMatching(expected.detail) },
  });
  honest = true;
  await statusBecomes(config, ({ destinations }) => destinations[0]?.problem === null && destinations[0]?.last_accepted !== null);
  expect(await run.end()).toBe(0);
  expect(got.slice(0, met.outbox.depth)).toEqual(Array.from({ length: met.outbox.depth }, (_, index) => index + 1));
  expect(new Set(got).size).toBe(got.length);
  // Two lines about a failure, however many attempts it took, beside those of start and stop.
  expect(lines(run.output).filter(({ msg }) => /heartbeats/.test(String(msg)))).toHaveLength(2);
  expect(run.output).not.toContain(KEY);
});

it('a name that cannot be resolved: says so', async () => {
  // No label is this long, so nobody is asked.
  const { config, run } = start(`https://${'a'.repeat(64)}.invalid`);
  const met = await statusBecomes(config, ({ destinations, outbox }) => destinations[0]?.problem !== null && outbox.depth > 2);
  expect(met.destinations[0]).toMatchObject({ state: 'retrying', problem: { reason: 'dns' } });
  expect(await run.end()).toBe(0);
});

it('an authority that is not ours: sends nothing', async () => {
  let asked = 0;
  const { endpoint } = await serve(authority().issue(), () => {
    asked += 1;
  });
  const { config, run } = start(endpoint);
  const met = await statusBecomes(config, ({ destinations, outbox }) => destinations[0]?.problem !== null && outbox.depth > 2);
  expect(met.destinations[0]).toMatchObject({ state: 'retrying', problem: { reason: 'tls' } });
  expect(asked).toBe(0);
  expect(await run.end()).toBe(0);
});

function start(endpoint: string): { config: string; run: Running } {
  const name = `liar-${++names}`;
  const more = 'interval: 100ms\ncollectors: {inventory: false}\nlog: {format: json}\n';
  const config = bench.configure(name, KEY, more, { endpoint: `${endpoint}\n  timeout: 1s`, ca: own.file });
  return { config, run: new Running(AGENT, ['run', '--config', config]) };
}
