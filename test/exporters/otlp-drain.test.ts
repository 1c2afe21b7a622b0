import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { Sender } from '../../src/delivery/sender.ts';
import { Spool } from '../../src/delivery/spool.ts';
import { Transport } from '../../src/delivery/transport.ts';
import { OtlpDestination } from '../../src/exporters/otlp-destination.ts';
import { realHost } from '../../src/support/host.ts';
import { decodeRequest } from './decoder.ts';
import { sampleHeartbeat } from './sample.ts';

const COUNT = 300;
const log = { debug() {}, info() {}, warn() {}, error() {} };
const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Body {
  resourceMetrics: { scopeMetrics: { metrics: { name: string; sum?: { dataPoints: { timeUnixNano: string }[] } }[] }[] }[];
}

it('drains a backlog through the sender: every heartbeat once, in order, in requests of bounded size', async () => {
  const requests: string[][] = [];
  const receiver = createServer(async (request, response) => {
    const { resourceMetrics } = decodeRequest(gunzipSync(Buffer.concat(await request.toArray()))) as unknown as Body;
    const metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics: found }) => found));
    const points = metrics.find(({ name }) => name === 'system.network.io')?.sum?.dataPoints ?? [];
    requests.push(points.map(({ timeUnixNano }) => timeUnixNano));
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  undo.push(() => new Promise((resolve) => receiver.close(resolve)));

  const folder = mkdtempSync(join(os.tmpdir(), 'scout-drain-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const host = realHost();
  const spool = new Spool({ path: join(folder, 'outbox.db'), maxBytes: 64 << 20, minFreeBytes: 0, host, log });
  spool.open();
  undo.push(() => spool.close());
  spool.setDestinations(['collector']);
  const times = Array.from({ length: COUNT }, (_, index) => 1_790_000_000_000 + index * 10_000);
  for (const time of times) {
    spool.append((instance, sequence) => ({ json: JSON.stringify(sampleHeartbeat({ instance, sequence, time })), time }));
  }

  const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const credential = () => ({ fingerprint: '', headers: () => ({}) });
  const transport = new Transport({ endpoint, tls: {} });
  const destination = new OtlpDestination({ name: 'collector', endpoint, credential, transport, host, timeout: 10_000 });
  const { promise: drained, resolve } = Promise.withResolvers<void>();
  const onOutcome = () => spool.depth('collector') === 0 && resolve();
  const sender = new Sender({ destination, spool, host, log, onOutcome });
  sender.start();
  await drained;
  await sender.stop(1_000);
  destination.close();

  expect(requests.flat()).toEqual(times.map((time) => String(BigInt(time) * 1_000_000n)));
  expect(Math.max(...requests.map((one) => one.length))).toBeLessThanOrEqual(64);
  expect(sender.status()).toMatchObject({ accepted: COUNT, duplicates: 0, failures: 0, pending: 0 });
});
