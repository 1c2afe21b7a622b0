import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { pack } from '../../src/protocol/frame.ts';
import { decodeRequest } from '../exporters/decoder.ts';
import { sampleHeartbeat } from '../exporters/sample.ts';
import { Postgres } from '../helpers/postgres.ts';
import { freePort, HUB, Running, run } from '../helpers/programs.ts';

/* Two hubs on one database take heartbeats at the same time, one of them forwards, and that one is killed. */

const CLIENTS = 6;
const EACH = 60;
const BATCH = 3;
const START = 1_700_000_000_000;

let folder: string;
let postgres: Postgres;
let receiver: Server;
let arrived: number[];
let hubs: { running: Running; port: number; data: string }[];
let agent: Agent;

beforeEach(async () => {
  folder = mkdtempSync(join(os.tmpdir(), 'scout-forward-'));
  [arrived, hubs] = [[], []];
  agent = new Agent({ keepAlive: true });
  postgres = await Postgres.start();
  receiver = createServer(async (request, response) => {
    const body = decodeRequest(gunzipSync(Buffer.concat(await request.toArray())));
    const times = [...JSON.stringify(body).matchAll(/"timeUnixNano":"(\d+)"/g)].map(
      ([, nano]) => Number(BigInt(nano!) / 1_000_000n) - START,
    );
    arrived.push(...times);
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  agent.destroy();
  for (const { running } of hubs) if (Running.alive.has(running)) await running.end('SIGKILL');
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await postgres.remove();
  rmSync(folder, { recursive: true, force: true });
});

const environment = () => ({ ...process.env, SCOUT_HUB_DATABASE: postgres.url() });

async function startHub(name: string): Promise<void> {
  const port = await freePort();
  const data = join(folder, name);
  mkdirSync(data);
  const forward = ['--forward-otlp', `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`, '--forward-from', 'start'];
  const args = ['serve', '--listen', `127.0.0.1:${port}`, '--data', data, '--tls-self-signed', ...forward];
  const running = new Running(HUB, args, environment());
  hubs.push({ running, port, data });
  await running.said('ready');
}

/** Sends heartbeats of its own instance, each to whichever hub answers, until all are acknowledged. */
async function client(number: number, key: string): Promise<void> {
  const instance = randomUUID();
  for (let sent = 0, turn = number; sent < EACH; turn++) {
    const frames = Array.from({ length: BATCH }, (_, index) => {
      const sequence = sent + index + 1;
      const metrics = [{ name: 'scout.probe', unit: '', type: 'gauge' as const, attributes: [], points: [[sequence]] }];
      const time = START + number * EACH + sequence;
      return pack(JSON.stringify(sampleHeartbeat({ instance, sequence, time, metrics })));
    });
    if (await post(hubs[turn % hubs.length]!, key, Buffer.concat(frames))) sent += BATCH;
  }
}

function post({ port, data }: { port: number; data: string }, key: string, body: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd' };
    const ca = readFileSync(join(data, 'ca.pem'));
    const sent = request({ host: '127.0.0.1', port, ca, agent, method: 'POST', path: '/api/v1/heartbeats', headers }, (answer) => {
      answer.on('error', () => resolve(false));
      answer.on('end', () => resolve(answer.statusCode === 200));
      answer.resume();
    });
    sent.on('error', () => resolve(false));
    sent.end(body);
  });
}

it('passes over no heartbeat of two hubs that write at once, and goes on with the other when one is killed', async () => {
  await startHub('a');
  await startHub('b');
  const { key } = JSON.parse((await run(HUB, ['server', 'add', 'web-1', '--json'], { env: environment() })).stdout);
  const half = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number, key)));
  const patient = { timeout: 60_000, interval: 100 };
  await vi.waitFor(() => expect(arrived.length).toBeGreaterThan(0), patient);
  // The first one that came up has the duty.
  await hubs[0]!.running.end('SIGKILL');
  await half;
  const wanted = Array.from({ length: CLIENTS * EACH }, (_, index) => index + 1);
  await vi.waitFor(() => expect(new Set(arrived).size).toBe(wanted.length), patient);
  expect([...new Set(arrived)].toSorted((a, b) => a - b)).toEqual(wanted);
}, 150_000);
