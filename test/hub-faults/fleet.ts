import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { addServer } from '../../src/hub/servers.ts';
import { DEFAULT_ORGANISATION } from '../../src/hub/store/records.ts';
import { SqliteStore } from '../../src/hub/store/sqlite-store.ts';
import type { Store } from '../../src/hub/store/store.ts';
import { PATHS } from '../../src/protocol/wire.ts';
import type { Bench } from '../helpers/programs.ts';
import { heartbeat, packed } from '../hub/helpers.ts';

const BATCH = 5;
/** What an agent waits after a failure is for its own tests; here it comes again at once. */
const AGAIN_MS = 50;

interface Client {
  serverId: string;
  key: string;
  instance: string;
  /** The first number that was not acknowledged. */
  next: number;
}

/** What was answered to a request that brought no 200. */
export interface Problem {
  status: number;
  type: string;
  code: string;
  detail: string;
  retryAfter: string | undefined;
}

/**
 * Agents as the hub sees them: each sends its heartbeats in order over a kept connection, and moves on only once they
 * were acknowledged; until then the same come again.
 */
export class Fleet {
  readonly #port: number;
  readonly #ca: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly clients: Client[] = [];
  readonly problems: Problem[] = [];
  #loops: Promise<void>[] = [];
  #stopped = false;
  acknowledged = 0;
  #waiting: { until: number; resolve: () => void }[] = [];

  constructor(port: number, ca: string) {
    this.#port = port;
    this.#ca = ca;
  }

  /** A fleet of `count` clients of a bench's hub, each with a server that is registered there. */
  static async on(bench: Bench, count: number): Promise<Fleet> {
    const fleet = new Fleet(bench.port, bench.ca);
    const store = SqliteStore.open(bench.data);
    await fleet.register(store, count);
    await store.close();
    return fleet;
  }

  /** Registers a server for each of `count` clients. */
  async register(store: Store, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const name = `fleet-${index}`;
      const { key, server_id } = await addServer({ store, org: DEFAULT_ORGANISATION, now: () => Date.now() }, name, 'grace', 86_400_000);
      this.clients.push({ serverId: server_id, key, instance: randomUUID(), next: 1 });
    }
  }

  /** All clients send, each as fast as it is answered, until `stop`; `pauseMs` apart. */
  start(pauseMs = 0): void {
    this.#stopped = false;
    this.#loops = this.clients.map(async (client) => {
      while (!this.#stopped) {
        const numbers = Array.from({ length: BATCH }, (_, index) => client.next + index);
        const status = await this.send(client.key, packed(numbers.map((sequence) => heartbeat({ instance: client.instance, sequence }))));
        if (status === 200) {
          client.next += BATCH;
          this.#acknowledge();
        }
        if (status !== 200 || pauseMs > 0) await delay(status === 200 ? pauseMs : AGAIN_MS);
      }
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  /** Waits until so many more requests have been acknowledged. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ until: this.acknowledged + count, resolve }));
  }

  /** Sends one body; its status, or 0 when the connection broke. */
  send(key: string, body: Uint8Array, more: Record<string, string> = {}): Promise<number> {
    return new Promise((resolve) => {
      const headers = { ...(key && { 'x-api-key': key }), 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd', ...more };
      const options = { host: '127.0.0.1', port: this.#port, ca: this.#ca, agent: this.#agent, method: 'POST', path: PATHS.heartbeats };
      const sent = request({ ...options, headers }, (answer) => {
        let text = '';
        answer.on('data', (chunk) => {
          text += chunk;
        });
        answer.on('error', () => resolve(0));
        answer.on('end', () => {
          const status = answer.statusCode ?? 0;
          const { 'content-type': type = '', 'retry-after': retryAfter } = answer.headers;
          if (status !== 200) this.problems.push({ status, type, ...saidIn(text), retryAfter });
          resolve(status);
        });
      });
      sent.on('error', () => resolve(0));
      sent.end(body);
    });
  }

  /** Holds the hub's books against what was acknowledged: all of it is there, and nothing twice. */
  async verify(store: Store): Promise<void> {
    for (const { serverId, instance, next } of this.clients) {
      const instances = await store.instances(serverId);
      const found = instances.find((one) => one.id === instance);
      expect(instances.length).toBeLessThanOrEqual(1);
      if (next > 1 || found) expect(found).toMatchObject({ firstSequence: 1, gaps: [], accepted: found?.lastSequence });
      // Beyond what was acknowledged there may stand one batch whose answer was lost.
      expect([next - 1, next - 1 + BATCH]).toContain(found?.lastSequence ?? 0);
    }
  }

  /** How many heartbeats the store has of these clients, by its books and by its rows. */
  async kept(store: Store): Promise<{ counted: number; rows: number }> {
    const [counts, rows] = await Promise.all([
      Promise.all(this.clients.map(async ({ serverId }) => (await store.instances(serverId)).reduce((sum, one) => sum + one.accepted, 0))),
      Promise.all(this.clients.map(async ({ serverId }) => (await store.recent(serverId, 0, Number.MAX_SAFE_INTEGER)).length)),
    ]);
    const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);
    return { counted: sum(counts), rows: sum(rows) };
  }

  #acknowledge(): void {
    this.acknowledged++;
    this.#waiting = this.#waiting.filter(({ until, resolve }) => {
      if (this.acknowledged < until) return true;
      resolve();
      return false;
    });
  }
}

function saidIn(text: string): Pick<Problem, 'code' | 'detail'> {
  try {
    const { code, detail } = JSON.parse(text);
    return { code, detail };
  } catch {
    return { code: '', detail: text };
  }
}

/** Resolves when a stream or socket closes, however that comes about. */
export const closed = (emitter: NodeJS.EventEmitter): Promise<unknown> => once(emitter, 'close').catch(() => {});
