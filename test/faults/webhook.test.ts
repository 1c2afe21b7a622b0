import { randomBytes, randomUUID, webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeAuthority, makeLeaf } from '../../src/hub/tls/certificates.ts';
import { pack } from '../../src/protocol/frame.ts';
import { sampleHeartbeat } from '../exporters/sample.ts';
import { Bench } from '../helpers/programs.ts';

/* Silence told to a real receiver over TLS: kept through kill -9 of the hub, signed so that other code finds it right. */

interface Delivery {
  id: string;
  body: string;
  genuine: boolean;
}

const key = randomBytes(32);
let bench: Bench;
let receiver: Server;
let deliveries: Delivery[];
let status: number;

beforeEach(async () => {
  bench = new Bench();
  [deliveries, status] = [[], 500];
  const authority = makeAuthority('a receiver', Date.now());
  writeFileSync(join(bench.folder, 'receiver-ca.pem'), authority.cert);
  writeFileSync(join(bench.folder, 'secret'), `whsec_${key.toString('base64')}\n`, { mode: 0o600 });
  receiver = createServer(makeLeaf(authority, 'a receiver', ['127.0.0.1'], Date.now()), async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map((name) => String(request.headers[`webhook-${name}`]));
    deliveries.push({ id: id!, body, genuine: await isGenuine(`${id}.${timestamp}.${body}`, signature!) });
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await bench.close();
});

async function isGenuine(signed: string, signature: string): Promise<boolean> {
  const imported = await webcrypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  const mac = Buffer.from(signature.replace(/^v1,/, ''), 'base64');
  return webcrypto.subtle.verify('HMAC', imported, mac, Buffer.from(signed));
}

function startHub(): Promise<void> {
  const url = `https://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const files = ['--webhook-secret-file', join(bench.folder, 'secret'), '--webhook-ca', join(bench.folder, 'receiver-ca.pem')];
  return bench.startHub('--webhook', url, ...files, '--webhook-grace', '0s');
}

/** One heartbeat of an agent that says it reports twenty times a second. */
function beat(key: string): Promise<number | undefined> {
  const frame = pack(JSON.stringify(sampleHeartbeat({ instance: randomUUID(), time: Date.now(), interval: 0.05 })));
  return new Promise((resolve, reject) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd' };
    const options = {
      host: '127.0.0.1',
      port: bench.port,
      ca: bench.ca,
      agent: false,
      method: 'POST',
      path: '/api/v1/heartbeats',
      headers,
    };
    const sent = request(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on('error', reject);
    sent.end(frame);
  });
}

it('tells that a server fell silent, although the hub was killed before the receiver took it', async () => {
  await startHub();
  const { key } = await bench.addServer('web-1');
  expect(await beat(key)).toBe(200);
  const patient = { timeout: 60_000, interval: 100 };
  await vi.waitFor(() => expect(deliveries.length).toBeGreaterThan(0), patient);
  await bench.hub?.end('SIGKILL');
  status = 200;
  deliveries = [];
  await startHub();
  await vi.waitFor(() => expect(deliveries.length).toBeGreaterThan(0), patient);
  const [{ id, body, genuine }] = deliveries as [Delivery];
  expect(genuine).toBe(true);
  expect(JSON.parse(body)).toMatchObject({ id, server: 'web-1', organisation: 'default', hub: bench.endpoint });
  expect(JSON.parse(body).state).toMatch(/^(late|silent)$/);
  expect(bench.hub?.output).not.toContain(key);
}, 120_000);
