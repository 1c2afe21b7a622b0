import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { ready, scoutHub, start } from '../../cli/hub/helpers.ts';
import { heartbeat, packed, tempFolder } from '../helpers.ts';

const CLIENTS = 4;
const BATCH = 3;
const LIVES = 4;
const ACKNOWLEDGED_A_LIFE = 40;

let folder: ReturnType<typeof tempFolder>;
let hub: ChildProcessWithoutNullStreams | undefined;
let agent: Agent;
beforeEach(() => {
  folder = tempFolder();
  agent = new Agent({ keepAlive: true });
});
afterEach(() => {
  hub?.kill('SIGKILL');
  agent.destroy();
  folder.remove();
});

async function startHub(): Promise<number> {
  hub = start(['serve', '--listen', '127.0.0.1:0', '--tls-self-signed', '--data', folder.path]);
  return Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(await ready(hub))?.[1]);
}

/** Whether the batch was acknowledged; a connection that breaks tells nothing of it. */
function send(port: number, ca: string, key: string, body: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd' };
    const sent = request({ host: '127.0.0.1', port, ca, agent, method: 'POST', path: '/api/v1/heartbeats', headers }, (answer) => {
      answer.on('error', () => resolve(false));
      answer.on('end', () => resolve(answer.statusCode === 200));
      answer.resume();
    });
    sent.on('error', () => resolve(false));
    sent.end(body);
  });
}

it('keeps every heartbeat it acknowledged, once, through kill -9 under load', async () => {
  let port = await startHub();
  const ca = readFileSync(join(folder.path, 'ca.pem'), 'utf8');
  const { key, server_id } = JSON.parse((await scoutHub(['server', 'add', 'web-1', '--json', '--data', folder.path])).stdout);
  const clients = Array.from({ length: CLIENTS }, () => ({ instance: randomUUID(), next: 1 }));

  for (let life = 0; life < LIVES; life++) {
    let acknowledged = 0;
    const ended = once(hub as ChildProcessWithoutNullStreams, 'close');
    await Promise.all(
      clients.map(async (client) => {
        for (;;) {
          const beats = Array.from({ length: BATCH }, (_, index) =>
            heartbeat({ instance: client.instance, sequence: client.next + index }),
          );
          // Like the outbox: a number moves on only once it was acknowledged; else the same is sent again.
          if (!(await send(port, ca, key, packed(beats)))) return;
          client.next += BATCH;
          acknowledged += 1;
          if (acknowledged === ACKNOWLEDGED_A_LIFE) hub?.kill('SIGKILL');
        }
      }),
    );
    await ended;
    port = await startHub();
  }

  const store = SqliteStore.open(folder.path);
  const instances = await store.instances(server_id);
  const kept = await store.recent(server_id, 0, Number.MAX_SAFE_INTEGER);
  await store.close();
  expect(instances).toHaveLength(CLIENTS);
  for (const client of clients) {
    const found = instances.find((one) => one.id === client.instance);
    expect(found).toMatchObject({ firstSequence: 1, gaps: [], accepted: found?.lastSequence });
    // Beyond what was acknowledged there may stand one batch whose answer was lost.
    expect([client.next - 1, client.next - 1 + BATCH]).toContain(found?.lastSequence);
  }
  expect(kept).toHaveLength(instances.reduce((sum, one) => sum + one.accepted, 0));
});
