import { randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Forwarder } from '../../../src/hub/forward/forwarder.ts';
import { Receiver } from '../../../src/hub/forward/receiver.ts';
import type { Hub } from '../../../src/hub/hub.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { pack } from '../../../src/protocol/frame.ts';
import { decodeRequest } from '../../exporters/decoder.ts';
import { sampleHeartbeat } from '../../exporters/sample.ts';
import { tempFolder } from '../helpers.ts';
import { incoming, registered } from '../store/store-suite.ts';

type Attributes = { key: string; value: { stringValue: string } }[];
interface Request {
  path: string | undefined;
  headers: IncomingHttpHeaders;
  /** Times of the points in it, ms, each once, and the resources. */
  times: number[];
  resources: Record<string, string>[];
}
type Reply = { status: number; headers?: Record<string, string> };

const never = new AbortController().signal;
const made = registered('web-1');
const instance = randomUUID();

let folder: ReturnType<typeof tempFolder>;
let store: SqliteStore;
let receiver: HttpServer;
let requests: Request[];
let reply: (request: Request) => Reply;
let logged: { level: string; message: string; fields: Record<string, unknown> }[];
let clock: number;
let hub: Hub;

beforeEach(async () => {
  folder = tempFolder();
  store = SqliteStore.open(folder.path);
  await store.addServer(made.server, made.key);
  requests = [];
  logged = [];
  clock = 0;
  reply = () => ({ status: 200 });
  receiver = createServer(async (request, response) => {
    const decoded = read(gunzipSync(Buffer.concat(await request.toArray())));
    const seen = { path: request.url, headers: request.headers, ...decoded };
    requests.push(seen);
    const { status, headers } = reply(seen);
    response.writeHead(status, { 'content-type': 'application/x-protobuf', ...headers }).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const write = (level: string) => (fields: Record<string, unknown>, message: string) => void logged.push({ level, message, fields });
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  hub = { store, now: () => 1e6 + clock, monotonic: () => clock, serviceId: 'id', publicOrigin: 'https://hub', log };
});

afterEach(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await store.close();
  folder.remove();
});

function read(body: Buffer): Pick<Request, 'times' | 'resources'> {
  const { resourceMetrics = [] } = decodeRequest(body) as { resourceMetrics?: { resource: { attributes: Attributes } }[] };
  const times = new Set([...JSON.stringify(resourceMetrics).matchAll(/"timeUnixNano":"(\d+)"/g)].map(([, nano]) => Number(nano) / 1e6));
  const resources = resourceMetrics.map(({ resource }) =>
    Object.fromEntries(resource.attributes.map(({ key, value }) => [key, value.stringValue])),
  );
  return { times: [...times], resources };
}

function make(from: 'now' | 'start' = 'start', options: { headerFile?: string; path?: string } = {}): Forwarder {
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${options.path ?? ''}`;
  return new Forwarder(hub, new Receiver(hub, { url, headerFile: options.headerFile }), from);
}

let sequence = 0;
/** Heartbeats sampled at these times. */
async function accept(...times: number[]): Promise<void> {
  const batch = times.map((time) => {
    const frame = pack(JSON.stringify(sampleHeartbeat({ instance, time })));
    return incoming(instance, ++sequence, { time, frame });
  });
  await store.accept(made.server, made.key, batch, hub.now());
}

/** Steps until there is nothing to send, however long it would have waited. */
async function drain(forwarder: Forwarder, steps = 500): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const wait = await forwarder.step(never);
    if (wait === 500) return;
    clock += wait;
  }
  throw new Error('it never came to an end');
}

const figure = (forwarder: Forwarder, name: string) => forwarder.figures().find((one) => one.name === `scout_hub_${name}`)?.value;
const taken = () => requests.flatMap((one) => one.times);

describe('forwarding', () => {
  it('sends each heartbeat once, in order, with its server and organisation', async () => {
    const times = Array.from({ length: 150 }, (_, index) => index + 1);
    await accept(...times);
    const forwarder = make();
    await drain(forwarder);
    expect(taken()).toEqual(times);
    expect(requests.length).toBe(5);
    expect(requests[0]).toMatchObject({
      path: '/v1/metrics',
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' },
    });
    expect(requests[0]?.resources).toEqual([
      expect.objectContaining({
        'service.name': 'scout-agent',
        'service.instance.id': instance,
        'host.name': 'web-1',
        'scout.server.name': 'web-1',
        'scout.organisation.name': 'default',
      }),
    ]);
    await accept(151);
    await drain(forwarder);
    expect(taken().slice(150)).toEqual([151]);
    expect(figure(forwarder, 'forwarded_total')).toBe(151);
    forwarder.close();
  });

  it('begins with what comes in from now on, unless told otherwise, and goes on where it was', async () => {
    await accept(1);
    const first = make('now');
    await drain(first);
    await accept(2);
    await drain(first);
    first.close();
    await accept(3);
    const second = make('start');
    await drain(second);
    expect(taken()).toEqual([2, 3]);
    second.close();
  });

  it('tells facts of the host in every heartbeat, which agents tell now and then', async () => {
    await store.accept(
      made.server,
      made.key,
      [incoming(randomUUID(), 1, { inventory: '{"host.id":"h1","os.type":"linux","cpu":"x"}' })],
      1,
    );
    await accept(1, 2);
    const forwarder = make();
    await drain(forwarder);
    expect(requests.at(-1)?.resources).toEqual([expect.objectContaining({ 'host.id': 'h1', 'os.type': 'linux' })]);
    forwarder.close();
  });

  it('keeps a batch and pauses when the receiver is away, as long as it asks for, and goes on', async () => {
    await accept(1, 2);
    reply = () => ({ status: 503, headers: { 'retry-after': '40' } });
    const forwarder = make();
    const wait = await forwarder.step(never);
    expect(wait).toBeGreaterThanOrEqual(40_000);
    expect(await forwarder.step(never)).toBe(wait);
    expect(requests).toHaveLength(1);
    expect(figure(forwarder, 'forward_failures')).toBe(1);
    for (const status of [429, 500, 401, 404, 302]) {
      reply = () => ({ status });
      clock += 1e6;
      await forwarder.step(never);
    }
    expect((await store.openCursor('forward', 'start')).place).toBe(0);
    reply = () => ({ status: 200 });
    clock += 1e6;
    await drain(forwarder);
    expect(requests.at(-1)?.times).toEqual([1, 2]);
    expect(figure(forwarder, 'forward_failures')).toBe(0);
    forwarder.close();
  });

  it.each([400, 413])('finds the heartbeats that are refused with %i, and sends all others', async (status) => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { maxLength: 8 }), async (bad) => {
        requests = [];
        const shift = sequence * 1_000;
        const times = Array.from({ length: 100 }, (_, index) => shift + index + 1);
        // One that is taken at the end: else the last ones would still be suspected.
        await accept(...times, shift + 101);
        const poison = new Set(bad.map((one) => shift + one));
        reply = ({ times: sent }) => ({ status: sent.some((time) => poison.has(time)) ? status : 200 });
        const forwarder = make();
        await drain(forwarder);
        const good = requests.filter(({ times: sent }) => !sent.some((time) => poison.has(time))).flatMap((one) => one.times);
        expect(good).toEqual([...times, shift + 101].filter((time) => !poison.has(time)));
        expect(figure(forwarder, 'forward_skipped_total')).toBe(bad.length);
        forwarder.close();
      }),
      { numRuns: 6 },
    );
  });

  it('skips nothing where everything is refused: then it is the receiver', async () => {
    await accept(...Array.from({ length: 40 }, (_, index) => index + 1));
    reply = () => ({ status: 400 });
    const forwarder = make();
    // It ends in the midst of a second round.
    for (let step = 0; step < 21; step++) clock += await forwarder.step(never);
    expect(figure(forwarder, 'forward_skipped_total')).toBe(0);
    expect(figure(forwarder, 'forward_failures')).toBeGreaterThan(0);
    expect((await store.openCursor('forward', 'start')).place).toBe(0);
    reply = () => ({ status: 200 });
    requests = [];
    await drain(forwarder);
    expect(taken().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(figure(forwarder, 'forward_skipped_total')).toBe(0);
    forwarder.close();
  });

  it('goes on where an engine takes nothing that old, with all that it takes', async () => {
    const times = Array.from({ length: 300 }, (_, index) => index + 1);
    await accept(...times);
    reply = ({ times: sent }) => ({ status: sent.some((time) => time <= 250) ? 400 : 200 });
    const forwarder = make();
    await drain(forwarder, 2_000);
    const good = requests.filter(({ times: sent }) => sent.every((time) => time > 250)).flatMap((one) => one.times);
    expect([...new Set(good)].toSorted((a, b) => a - b)).toEqual(times.slice(250));
    expect(figure(forwarder, 'forward_skipped_total')).toBe(250);
    expect(figure(forwarder, 'forward_failures')).toBe(0);
    expect((await store.openCursor('forward', 'start')).place).toBe(300);
    forwarder.close();
  });

  it('skips what cannot be read, and counts what left the window before it was sent', async () => {
    await accept(1);
    await store.accept(made.server, made.key, [incoming(instance, ++sequence, { frame: randomBytes(50) })], 1e6);
    await accept(2);
    const forwarder = make();
    await drain(forwarder);
    expect(taken()).toEqual([1, 2]);
    expect(figure(forwarder, 'forward_skipped_total')).toBe(1);
    await accept(3, 4);
    clock += 60_000;
    await store.prune(hub.now(), 1e12);
    await accept(5);
    await drain(forwarder);
    expect(taken()).toEqual([1, 2, 5]);
    expect(figure(forwarder, 'forward_lost')).toBe(2);
    expect(logged.filter(({ message }) => message.includes('left the window'))).toMatchObject([{ level: 'error', fields: { lost: 2 } }]);
    forwarder.close();
  });

  it('sends what is large in several requests', async () => {
    const metrics = sampleHeartbeat().metrics.concat({
      name: 'm',
      unit: '1',
      type: 'gauge',
      attributes: ['a'],
      points: Array.from({ length: 10_000 }, (_, index) => [`${randomBytes(20).toString('hex')}`, index]),
    });
    const frame = (time: number) => pack(JSON.stringify(sampleHeartbeat({ instance, time, metrics })));
    const batch = [1, 2, 3].map((time) => incoming(instance, ++sequence, { time, frame: frame(time) }));
    await store.accept(made.server, made.key, batch, 1);
    const forwarder = make();
    await drain(forwarder);
    expect(requests.map((one) => one.times)).toEqual([[1], [2], [3]]);
    forwarder.close();
  });

  it('sends headers from a file, read anew when it is replaced', async () => {
    const headerFile = join(folder.path, 'headers');
    const tokens = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')];
    writeFileSync(headerFile, `Authorization: Bearer ${tokens[0]}\n`, { mode: 0o600 });
    const forwarder = make('start', { headerFile, path: '/opentelemetry/v1/metrics' });
    await accept(1);
    await drain(forwarder);
    writeFileSync(headerFile, `Authorization: Bearer ${tokens[1]}\n`);
    await accept(2);
    await drain(forwarder);
    writeFileSync(headerFile, 'half of a li');
    await accept(3);
    await drain(forwarder);
    expect(requests.map(({ path, headers }) => [path, headers.authorization])).toEqual(
      [tokens[0], tokens[1], tokens[1]].map((token) => ['/opentelemetry/v1/metrics', `Bearer ${token}`]),
    );
    for (const token of tokens) expect(JSON.stringify(logged)).not.toContain(token);
    forwarder.close();
  });
});
