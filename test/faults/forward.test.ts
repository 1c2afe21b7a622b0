import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { pack } from '../../src/protocol/frame.ts';
import { sampleHeartbeat } from '../exporters/sample.ts';
import { Bench, freePort } from '../helpers/programs.ts';
import { victoriaMetrics } from './victoria-metrics.ts';

/* What the hub forwards, queried back from a real engine: every heartbeat, once, whoever dies in between. */

const COUNT = 300;
const BATCH = 5;
const START = Date.now() - 3_600_000;

const folder = mkdtempSync(join(os.tmpdir(), 'scout-forward-'));
const victoria = victoriaMetrics(folder);
if ('reason' in victoria) console.info(`Not tried: forwarding to VictoriaMetrics, because ${victoria.reason}.`);

let engine: { child: ChildProcess; ended: Promise<unknown> } | undefined;
afterAll(async () => {
  await stopEngine();
  rmSync(folder, { recursive: true });
});

async function startEngine(port: number): Promise<void> {
  const child = spawn(
    (victoria as { program: string }).program,
    [
      `-httpListenAddr=127.0.0.1:${port}`,
      `-storageDataPath=${join(folder, 'victoria')}`,
      '-opentelemetry.usePrometheusNaming',
      '-dedup.minScrapeInterval=1ms',
    ],
    { stdio: 'ignore', cwd: folder },
  );
  engine = { child, ended: new Promise((resolve) => child.once('close', resolve)) };
  await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200), {
    timeout: 60_000,
    interval: 100,
  });
}

/** SIGTERM: what the engine has acknowledged is its own to keep. */
async function stopEngine(): Promise<void> {
  engine?.child.kill();
  await engine?.ended;
  engine = undefined;
}

/** One agent that sends until everything was acknowledged, whether the hub is there or not. */
class Sender {
  readonly #bench: Bench;
  readonly #key: string;
  readonly #instance = randomUUID();
  readonly #agent = new Agent({ keepAlive: true });
  acknowledged = 0;

  constructor(bench: Bench, key: string) {
    this.#bench = bench;
    this.#key = key;
  }

  async run(until: number): Promise<void> {
    while (this.acknowledged < until) {
      if (await this.#post()) this.acknowledged += BATCH;
      else await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(): Promise<boolean> {
    const frames = Array.from({ length: BATCH }, (_, index) => {
      const sequence = this.acknowledged + index + 1;
      const metrics = [{ name: 'scout.probe', unit: '{beat}', type: 'gauge' as const, attributes: [], points: [[sequence]] }];
      return pack(JSON.stringify(sampleHeartbeat({ instance: this.#instance, sequence, time: START + sequence * 1_000, metrics })));
    });
    return new Promise((resolve) => {
      const headers = { 'x-api-key': this.#key, 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd' };
      const { port, ca } = this.#bench;
      const options = { host: '127.0.0.1', port, ca, agent: this.#agent, method: 'POST', path: '/api/v1/heartbeats', headers };
      const sent = request(options, (answer) => {
        answer.on('error', () => resolve(false));
        answer.on('end', () => resolve(answer.statusCode === 200));
        answer.resume();
      });
      sent.on('error', () => resolve(false));
      sent.end(Buffer.concat(frames));
    });
  }
}

interface Exported {
  metric: Record<string, string>;
  values: number[];
  timestamps: number[];
}

async function exported(port: number): Promise<Exported[]> {
  await fetch(`http://127.0.0.1:${port}/internal/force_flush`);
  const text = await (
    await fetch(`http://127.0.0.1:${port}/api/v1/export?match[]=${encodeURIComponent('{__name__=~"scout_probe.*"}')}`)
  ).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Exported);
}

describe.skipIf('reason' in victoria)('forwarding to VictoriaMetrics', () => {
  it('brings every acknowledged heartbeat, through kill -9 of the hub and an outage of the engine', async () => {
    const bench = new Bench();
    const port = await freePort();
    const options = ['--forward-otlp', `http://127.0.0.1:${port}/opentelemetry/v1/metrics`, '--forward-from', 'start'];
    let senders: Sender[] = [];
    try {
      await startEngine(port);
      await bench.startHub(...options);
      const names = ['web-1', 'web-2'];
      senders = await Promise.all(names.map(async (name) => new Sender(bench, (await bench.addServer(name)).key)));
      const send = (until: number) => Promise.all(senders.map((one) => one.run(until)));

      await send(COUNT / 3);
      const sending = send((2 * COUNT) / 3);
      await bench.hub?.end('SIGKILL');
      await bench.startHub(...options);
      await sending;

      await stopEngine();
      await send(COUNT);
      await bench.hub?.end('SIGKILL');
      await bench.startHub(...options);
      await startEngine(port);

      const wanted = Array.from({ length: COUNT }, (_, index) => index + 1);
      await vi.waitFor(async () => expect((await exported(port)).map((one) => one.values.length)).toEqual(names.map(() => COUNT)), {
        timeout: 90_000,
        interval: 1_000,
      });
      const found = await exported(port);
      expect(found.flatMap(({ metric }) => [metric['scout.server.name'] ?? metric.scout_server_name]).toSorted()).toEqual(names);
      for (const { values, timestamps } of found) {
        expect(values).toEqual(wanted);
        expect(timestamps).toEqual(wanted.map((one) => START + one * 1_000));
      }
    } finally {
      for (const one of senders) one.close();
      await bench.close();
    }
  }, 180_000);
});
