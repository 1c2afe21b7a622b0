import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PrometheusEndpoint } from '../../src/exporters/prometheus.ts';
import type { Metric } from '../../src/protocol/heartbeat.ts';
import type { Log } from '../../src/support/log.ts';
import { sampleHeartbeat } from './sample.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const running: PrometheusEndpoint[] = [];

async function start(listen = '127.0.0.1:0', latest: () => Metric[] = () => sampleHeartbeat().metrics): Promise<PrometheusEndpoint> {
  const endpoint = new PrometheusEndpoint({ listen, latest, log: quiet });
  await endpoint.start();
  running.push(endpoint);
  return endpoint;
}

afterEach(async () => {
  for (const endpoint of running.splice(0)) await endpoint.stop();
});

describe('PrometheusEndpoint', () => {
  it('answers GET /metrics with the last sample', async () => {
    let metrics: Metric[] = [];
    const { port } = await start('127.0.0.1:0', () => metrics);
    const empty = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(empty.status).toBe(200);
    expect(await empty.text()).toBe('');
    metrics = sampleHeartbeat().metrics;
    const full = await fetch(`http://127.0.0.1:${port}/metrics?collect[]=cpu`);
    expect(full.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await full.text()).toContain('scout_load{period="1m"} 0.25\n');
  });

  it('answers nothing else', async () => {
    const { port } = await start();
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
    const posted = await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST', body: 'x' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET');
  });

  it('stays up when the sample cannot be rendered', async () => {
    const { port } = await start('127.0.0.1:0', () => {
      throw new Error('broken');
    });
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('broken');
  });

  it('listens on IPv6', async () => {
    const { port } = await start('[::1]:0');
    expect((await fetch(`http://[::1]:${port}/metrics`)).status).toBe(200);
  });

  it('says which address it cannot have', async () => {
    const { port } = await start();
    await expect(start(`127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'PROMETHEUS_LISTEN',
      message: expect.stringContaining('EADDRINUSE'),
    });
    await expect(start('nowhere')).rejects.toMatchObject({ code: 'PROMETHEUS_LISTEN', message: expect.stringContaining('HOST:PORT') });
  });

  it('stops though a client keeps its connection and says nothing', async () => {
    const endpoint = await start();
    const socket = connect(endpoint.port!, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('GET /metr');
    socket.on('error', () => {});
    await endpoint.stop();
    await closed;
    expect(endpoint.port).toBeUndefined();
  });
});
