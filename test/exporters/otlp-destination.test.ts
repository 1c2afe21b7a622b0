import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredHeartbeat } from '../../src/delivery/heartbeats.ts';
import { Transport } from '../../src/delivery/transport.ts';
import { OtlpDestination, type OtlpOptions } from '../../src/exporters/otlp-destination.ts';
import { pack } from '../../src/protocol/frame.ts';
import type { Heartbeat } from '../../src/protocol/heartbeat.ts';
import { realHost } from '../../src/support/host.ts';
import { decodeRequest } from './decoder.ts';
import { sampleHeartbeat } from './sample.ts';

interface Request {
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** A receiver that answers as it is told and keeps what it was sent. */
let receiver: Server;
let folder: string;
let requests: Request[];
let answer: { status: number; headers: Record<string, string>; body: string };
let warned: unknown[];

beforeEach(async () => {
  requests = [];
  warned = [];
  answer = { status: 200, headers: { 'content-type': 'application/x-protobuf' }, body: '' };
  folder = mkdtempSync(join(os.tmpdir(), 'scout-otlp-'));
  mkdirSync(join(folder, 'etc'));
  writeFileSync(join(folder, 'etc/machine-id'), `${'0123456789abcdef'.repeat(2)}\n`);
  receiver = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    requests.push({ url: request.url, headers: request.headers, body });
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  rmSync(folder, { recursive: true });
});

function destination(path = '', more: Partial<OtlpOptions> = {}): OtlpDestination {
  const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${path}`;
  return new OtlpDestination({
    name: 'collector',
    endpoint,
    credential: () => ({ fingerprint: 'f', headers: () => ({ authorization: 'Bearer made-for-this-test' }) }),
    transport: new Transport({ endpoint, tls: {} }),
    host: realHost({ root: `${folder}/` }),
    timeout: 5_000,
    log: { debug() {}, info() {}, warn: (fields) => warned.push(fields), error() {} },
    ...more,
  });
}

function stored(heartbeat: Heartbeat): StoredHeartbeat {
  const { instance, sequence, time } = heartbeat;
  return { instance, sequence, time, frame: pack(JSON.stringify(heartbeat)) };
}

async function send(to: OtlpDestination, ...heartbeats: Heartbeat[]) {
  try {
    return await to.send(heartbeats.map(stored), AbortSignal.timeout(10_000));
  } finally {
    to.close();
  }
}

describe('OtlpDestination', () => {
  it('posts heartbeats as gzipped protobuf with the credential, under the path of the specification', async () => {
    const first = sampleHeartbeat();
    const outcome = await send(destination(), first, { ...first, sequence: 2, time: first.time + 10_000 });
    expect(outcome).toEqual({ kind: 'accepted', accepted: 2, duplicates: 0 });
    const [request] = requests;
    expect(request!.url).toBe('/v1/metrics');
    expect(request!.headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
      authorization: 'Bearer made-for-this-test',
    });
    const { resourceMetrics } = decodeRequest(gunzipSync(request!.body)) as { resourceMetrics: object[] };
    expect(resourceMetrics).toHaveLength(1);
  });

  it('tells host and system with every heartbeat alike, whether or not it carries the inventory', async () => {
    const facts = { 'host.id': expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/), 'os.type': 'linux' };
    const first = sampleHeartbeat();
    const inventory = { 'host.id': 'something else', 'os.type': 'linux' };
    await send(destination('', { host: { ...realHost({ root: folder }), platform: 'linux' } }), first, { ...first, inventory });
    const { resourceMetrics } = decodeRequest(gunzipSync(requests[0]!.body)) as {
      resourceMetrics: { resource: { attributes: { key: string; value: { stringValue: string } }[] } }[];
    };
    expect(resourceMetrics).toHaveLength(1);
    const attributes = resourceMetrics[0]!.resource.attributes.map(({ key, value }) => [key, value.stringValue]);
    expect(Object.fromEntries(attributes)).toMatchObject(facts);
  });

  it.each([
    ['/', '/v1/metrics'],
    ['/opentelemetry/v1/metrics', '/opentelemetry/v1/metrics'],
  ])('an address with path %s posts to %s', async (path, expected) => {
    await send(destination(path), sampleHeartbeat());
    expect(requests[0]!.url).toBe(expected);
  });

  it('sends JSON when asked', async () => {
    await send(destination('', { encoding: 'json' }), sampleHeartbeat());
    expect(requests[0]!.headers['content-type']).toBe('application/json');
    expect(JSON.parse(gunzipSync(requests[0]!.body).toString())).toHaveProperty('resourceMetrics');
  });

  it('asks for a smaller batch before it makes a request that no receiver takes', async () => {
    const heartbeat = sampleHeartbeat();
    expect(await send(destination(), ...Array.from({ length: 65 }, () => heartbeat))).toEqual({ kind: 'too-large' });
    expect(requests).toEqual([]);
    expect(await send(destination(), ...Array.from({ length: 64 }, () => heartbeat))).toMatchObject({ kind: 'accepted', accepted: 64 });
  });

  it('names the heartbeat that cannot be read back', async () => {
    const good = stored(sampleHeartbeat());
    const bad = { ...good, frame: good.frame.subarray(0, 20) };
    const to = destination();
    expect(await to.send([good, bad], AbortSignal.timeout(10_000))).toMatchObject({ kind: 'rejected', index: 1 });
    to.close();
  });

  it('says a remark of the receiver once while it stays the same, and accepts', async () => {
    answer.body = '\n\x16\x08\x05\x12\x12too old by an hour';
    const to = destination();
    const outcome = [await send(to, sampleHeartbeat()), await send(to, sampleHeartbeat())];
    expect(outcome).toMatchObject([{ kind: 'accepted' }, { kind: 'accepted' }]);
    expect(warned).toEqual([{ destination: 'collector', detail: 'too old by an hour' }]);
    answer.body = '';
    await send(to, sampleHeartbeat());
    answer.body = '\n\x02\x08\x05';
    await send(to, sampleHeartbeat());
    expect(warned).toHaveLength(2);
  });

  it('passes on a refusal, and a receiver that is not there', async () => {
    answer = { status: 503, headers: { 'retry-after': '3' }, body: '' };
    expect(await send(destination(), sampleHeartbeat())).toMatchObject({ kind: 'unavailable', reason: 'busy', retryAfter: 3_000 });
    const to = destination();
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
    expect(await send(to, sampleHeartbeat())).toMatchObject({ kind: 'unavailable', reason: 'refused' });
    receiver.listen(0);
  });
});
