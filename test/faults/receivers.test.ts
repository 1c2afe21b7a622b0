import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Runner } from '../../src/collectors/runner.ts';
import { collectorsSchema } from '../../src/config/schema.ts';
import { Transport } from '../../src/delivery/transport.ts';
import { OtlpDestination } from '../../src/exporters/otlp-destination.ts';
import { PrometheusEndpoint } from '../../src/exporters/prometheus.ts';
import { renderPrometheus } from '../../src/exporters/prometheus-text.ts';
import { pack } from '../../src/protocol/frame.ts';
import type { Heartbeat, Metric } from '../../src/protocol/heartbeat.ts';
import { realHost } from '../../src/support/host.ts';
import { sampleHeartbeat } from '../exporters/sample.ts';
import { victoriaMetrics } from './victoria-metrics.ts';

/* What we write, read by the programs it is written for: promtool, Prometheus and VictoriaMetrics, all on loopback. */

const folder = mkdtempSync(join(os.tmpdir(), 'scout-receivers-'));
const children: { child: ChildProcess; ended: Promise<unknown> }[] = [];
const log = { debug() {}, info() {}, warn() {}, error() {} };

afterAll(async () => {
  for (const { child, ended } of children) {
    child.kill();
    await ended;
  }
  rmSync(folder, { recursive: true });
});

function start(program: string, args: string[]): void {
  const child = spawn(program, args, { stdio: 'ignore', cwd: folder });
  children.push({ child, ended: new Promise((resolve) => child.once('close', resolve)) });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What all collectors find on this host now, and a few metrics of the agent. */
async function realMetrics(): Promise<Metric[]> {
  const runner = new Runner(realHost(), collectorsSchema.parse({}));
  try {
    const { metrics } = await runner.collect();
    return [...metrics, ...sampleHeartbeat().metrics.filter((metric) => !metrics.some((one) => one.name === metric.name))];
  } finally {
    runner.close();
  }
}

async function json<Body>(address: string): Promise<Body> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`status ${response.status}`);
  return (await response.json()) as Body;
}

/** Series of the text format, as `name{label="value",…}` with labels in order, and their values. */
function seriesOf(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name && !line.startsWith('#'))
      found.set(
        series(
          name,
          [...labels.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g)].map(([, label, text]) => [label!, JSON.parse(text!)]),
        ),
        Number(value),
      );
  }
  return found;
}

function series(name: string, labels: [string, string][]): string {
  const sorted = labels.map(([label, value]) => `${label}=${JSON.stringify(value)}`).sort();
  return `${name}{${sorted.join(',')}}`;
}

const promtool = spawnSync('promtool', ['--version']).status === 0;
if (!promtool) console.info('Not tried: promtool and Prometheus, because they are not installed (Debian: prometheus).');

describe.skipIf(!promtool)('Prometheus', () => {
  it('promtool finds nothing wrong but names that OpenTelemetry fixed', async () => {
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: renderPrometheus(await realMetrics()), encoding: 'utf8' });
    // The conventions end some names with `.count`, and the rule that makes Prometheus' names of them keeps that.
    const remarks = checked.stderr.split('\n').filter((line) => line !== '' && !/^\w+_count .*should not have "_count" suffix$/.test(line));
    expect(remarks).toEqual([]);
    expect([0, 3]).toContain(checked.status);
  });

  it('scrapes the endpoint and has every series', async () => {
    const metrics = await realMetrics();
    const endpoint = new PrometheusEndpoint({ listen: '127.0.0.1:0', latest: () => metrics, log });
    await endpoint.start();
    try {
      const port = await freePort();
      const config = {
        scrape_configs: [
          { job_name: 'scout', scrape_interval: '1s', scrape_timeout: '1s', static_configs: [{ targets: [`127.0.0.1:${endpoint.port}`] }] },
        ],
      };
      writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
      const options = [`--web.listen-address=127.0.0.1:${port}`, `--storage.tsdb.path=${join(folder, 'prometheus')}`];
      start('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, ...options]);
      const query = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent('{job="scout"}')}`;
      type Answer = { data: { result: { metric: Record<string, string>; value: [number, string] }[] } };
      const result = await vi.waitFor(
        async () => {
          const { data } = await json<Answer>(query);
          expect(data.result.find(({ metric }) => metric.__name__ === 'up')?.value[1]).toBe('1');
          return data.result;
        },
        { timeout: 60_000, interval: 200 },
      );
      const found = new Map(
        result.map(({ metric: { __name__, job, instance, ...labels }, value }) => [
          series(__name__!, Object.entries(labels)),
          Number(value[1]),
        ]),
      );
      const expected = seriesOf(renderPrometheus(metrics));
      expect(expected.size).toBeGreaterThan(100);
      for (const [name, value] of expected) expect([name, found.get(name)]).toEqual([name, value]);
    } finally {
      await endpoint.stop();
    }
  });
});

const victoria = victoriaMetrics(folder);
if ('reason' in victoria) console.info(`Not tried: VictoriaMetrics, because ${victoria.reason}.`);

describe.skipIf('reason' in victoria)('VictoriaMetrics', () => {
  it('takes our protobuf and has every point, under the very names that we give to Prometheus', async () => {
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    start((victoria as { program: string }).program, [
      `-httpListenAddr=127.0.0.1:${port}`,
      `-storageDataPath=${join(folder, 'victoria')}`,
      '-opentelemetry.usePrometheusNaming',
      '-search.latencyOffset=0s',
    ]);
    await vi.waitFor(async () => expect((await fetch(`${base}/health`)).status).toBe(200), { timeout: 60_000, interval: 100 });

    const metrics = await realMetrics();
    const time = Date.now() - 60_000;
    const first = sampleHeartbeat({ metrics, time, host: { name: 'web-1', boot_time: Math.round(time / 1_000) - 3_600 } });
    const heartbeats: Heartbeat[] = [first, { ...first, sequence: 2, time: time + 10_000 }];
    const endpoint = `${base}/opentelemetry/v1/metrics`;
    const destination = new OtlpDestination({
      name: 'victoria',
      endpoint,
      credential: () => ({ fingerprint: '', headers: () => ({}) }),
      transport: new Transport({ endpoint, tls: {} }),
      host: realHost(),
      timeout: 10_000,
    });
    const batch = heartbeats.map(({ instance, sequence, time: when, ...rest }) => {
      return { instance, sequence, time: when, frame: pack(JSON.stringify({ instance, sequence, time: when, ...rest })) };
    });
    expect(await destination.send(batch, AbortSignal.timeout(10_000))).toEqual({ kind: 'accepted', accepted: 2, duplicates: 0 });
    destination.close();

    await fetch(`${base}/internal/force_flush`);
    const exported = await (await fetch(`${base}/api/v1/export?match[]=${encodeURIComponent('{__name__!=""}')}`)).text();
    const resource = new Set<string>();
    const found = new Map<string, { values: number[]; timestamps: number[] }>();
    for (const line of exported.trim().split('\n')) {
      const { metric, values, timestamps } = JSON.parse(line) as { metric: Record<string, string>; values: number[]; timestamps: number[] };
      const { __name__, ...labels } = metric;
      const own = Object.entries(labels).filter(([label]) => !/^(service|host|os|scope|otel_scope|job|instance)(_|\.|$)/.test(label));
      for (const label of Object.keys(labels)) resource.add(label);
      found.set(series(__name__!, own as [string, string][]), { values, timestamps });
    }
    expect([...resource]).toEqual(expect.arrayContaining([expect.stringMatching(/^service.instance.id$|^instance$/)]));
    for (const [name, value] of seriesOf(renderPrometheus(metrics))) {
      expect([name, found.get(name)]).toEqual([name, { values: [value, value], timestamps: [time, time + 10_000] }]);
    }
  });
});
