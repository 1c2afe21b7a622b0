import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import os from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { type ServeOptions, type Serving, serve } from '../../src/hub/serve.ts';
import { type AddedServer, addServer, type Registry } from '../../src/hub/servers.ts';
import type { Store } from '../../src/hub/store/store.ts';
import type { Heartbeat, ServiceProblem } from '../../src/protocol/heartbeat.ts';

/** A temporary folder, and how to be rid of it. */
export function tempFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(os.tmpdir(), 'scout-hub-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A store on behalf of the default organisation. */
export const registryOf = (store: Store): Registry => ({ store, now: () => Date.now(), org: 'default' });

/** A heartbeat as an agent makes it. */
export function heartbeat(over: Partial<Heartbeat> = {}): Heartbeat {
  return {
    v: 1,
    instance: randomUUID(),
    sequence: 1,
    time: Date.now(),
    interval: 10,
    agent: { version: '0.1.0' },
    host: { name: 'web-1.example', boot_time: 1_700_000_000.25 },
    metrics: [
      {
        name: 'system.cpu.time',
        unit: 's',
        type: 'counter',
        attributes: ['cpu.mode'],
        points: [
          ['user', 1.5],
          ['idle', 100],
        ],
      },
    ],
    ...over,
  };
}

export const lineOf = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);
/** A batch as agents send it: one zstd frame a heartbeat, end to end. */
export const packed = (beats: unknown[]): Buffer => Buffer.concat(beats.map((one) => zstdCompressSync(lineOf(one))));

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export const problemOf = (answer: Answer): ServiceProblem => JSON.parse(answer.text);

/** A hub in this process with a server registered, and a client that trusts it. */
export class TestHub {
  readonly folder = tempFolder();
  readonly agent = new Agent({ keepAlive: true });
  serving!: Serving;
  server!: AddedServer;

  async start(options: Partial<ServeOptions> = {}): Promise<this> {
    const tls = { kind: 'self-signed' } as const;
    this.serving = await serve({
      data: this.folder.path,
      host: '127.0.0.1',
      port: 0,
      tls,
      retentionMs: 86_400_000,
      mostBytes: 1e9,
      ...options,
    });
    this.server = await addServer(this.registry, 'web-1', 'grace', 86_400_000);
    return this;
  }

  /** The hub on behalf of the default organisation. */
  get registry(): Registry {
    return { ...this.serving.hub, org: 'default' };
  }

  get ca(): string {
    return readFileSync(join(this.folder.path, 'ca.pem'), 'utf8');
  }

  /** One request; the key goes along unless `key` is null. */
  call(
    path: string,
    options: Omit<RequestOptions, 'key'> & { body?: Uint8Array | string; key?: string | null | undefined } = {},
  ): Promise<Answer> {
    const { body, key = this.server.key, headers, ...rest } = options;
    return new Promise((resolve, reject) => {
      const settings: RequestOptions = {
        host: '127.0.0.1',
        port: this.serving.port,
        path,
        ca: this.ca,
        agent: this.agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...(key === null ? {} : { 'x-api-key': key }), ...(headers as Record<string, string>) },
        ...rest,
      };
      const sent = request(settings, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** Sends a body of heartbeats; zstd frames unless told otherwise. */
  post(body: Uint8Array | string, headers: Record<string, string> = {}, key?: string | null): Promise<Answer> {
    const all = { 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd', ...headers };
    return this.call('/api/v1/heartbeats', { body, headers: all, key });
  }

  async close(): Promise<void> {
    this.agent.destroy();
    await this.serving.stop();
    this.folder.remove();
  }
}
