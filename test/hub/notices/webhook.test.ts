import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hub } from '../../../src/hub/hub.ts';
import { Webhook } from '../../../src/hub/notices/webhook.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import type { Notice } from '../../../src/hub/store/stream.ts';
import { tempFolder } from '../helpers.ts';

const never = new AbortController().signal;
const DAY_MS = 86_400_000;

let folder: ReturnType<typeof tempFolder>;
let store: SqliteStore;
let receiver: HttpServer;
let seen: { path: string | undefined; headers: IncomingHttpHeaders; body: string }[];
let reply: (id: string) => { status: number; headers?: Record<string, string>; body?: Buffer };
let logged: unknown[];
let clock: number;
let hub: Hub;
let secretFile: string;

beforeEach(async () => {
  folder = tempFolder();
  store = SqliteStore.open(folder.path);
  [seen, logged, clock] = [[], [], 0];
  reply = () => ({ status: 204 });
  receiver = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    seen.push({ path: request.url, headers: request.headers, body });
    const { status, headers = {}, body: answer } = reply(String(request.headers['webhook-id']));
    response.on('error', () => {});
    response.writeHead(status, headers).end(answer);
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const write = (fields: Record<string, unknown>, message: string) => void logged.push({ fields, message });
  const log = { debug: write, info: write, warn: write, error: write };
  hub = { store, now: () => clock, monotonic: () => clock, serviceId: 'id', publicOrigin: 'https://hub', log };
  secretFile = join(folder.path, 'secret');
  writeSecret();
});

afterEach(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await store.close();
  folder.remove();
});

function writeSecret(): string {
  const text = `whsec_${randomBytes(32).toString('base64')}`;
  writeFileSync(secretFile, text, { mode: 0o600 });
  return text;
}

const make = () => new Webhook(hub, { url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks/scout`, secretFile });
const notice = (id: string): Notice => ({ id, body: `{"id":"${id}"}`, createdAt: clock, tries: 0, nextAt: clock });
const ids = () => seen.map((one) => one.headers['webhook-id']);
const figure = (webhook: Webhook, name: string) => webhook.figures().find((one) => one.name === `scout_hub_notices_${name}`)?.value;

describe('the webhook', () => {
  it('delivers notices in their order, signed, and forgets them', async () => {
    await store.tell([], [notice('msg_1'), notice('msg_2'), notice('msg_3')]);
    const webhook = make();
    await webhook.step(never);
    expect(ids()).toEqual(['msg_1', 'msg_2', 'msg_3']);
    expect(seen[0]).toMatchObject({ path: '/hooks/scout', body: '{"id":"msg_1"}', headers: { 'content-type': 'application/json' } });
    expect(seen[0]?.headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
    expect(await store.countNotices()).toBe(0);
    expect(figure(webhook, 'delivered_total')).toBe(3);
    webhook.close();
  });

  it.each([301, 302, 307, 400, 401, 404, 410, 429, 500, 503])('tries again after %i, and follows nowhere', async (status) => {
    await store.tell([], [notice('msg_1')]);
    const webhook = make();
    reply = () => ({ status, headers: { location: '/elsewhere' } });
    for (let turn = 0; turn < 5; turn++) {
      await webhook.step(never);
      clock += 900_000;
    }
    reply = () => ({ status: 200 });
    await webhook.step(never);
    expect(ids()).toEqual(Array(6).fill('msg_1'));
    expect(seen.every((one) => one.path === '/hooks/scout')).toBe(true);
    expect(await store.countNotices()).toBe(0);
    webhook.close();
  });

  it('leaves a receiver that is away in peace, as long as it asks for', async () => {
    await store.tell(
      [],
      Array.from({ length: 50 }, (_, index) => notice(`msg_${index}`)),
    );
    const webhook = make();
    reply = () => ({ status: 503, headers: { 'retry-after': '60' } });
    for (clock = 0; clock < 59_000; clock += 500) await webhook.step(never);
    expect(seen).toHaveLength(1);
    webhook.close();
  });

  it('lets one notice that is refused keep none of the others back', async () => {
    await store.tell(
      [],
      Array.from({ length: 30 }, (_, index) => notice(`msg_${10 + index}`)),
    );
    const webhook = make();
    reply = (id) => ({ status: id === 'msg_11' ? 400 : 200 });
    for (clock = 0; clock < 20_000; clock += 500) await webhook.step(never);
    expect(new Set(ids()).size).toBe(30);
    expect((await store.dueNotices(Number.MAX_SAFE_INTEGER, 9)).map((one) => one.id)).toEqual(['msg_11']);
    webhook.close();
  });

  it('gives a notice up after three days, and says so', async () => {
    await store.tell([], [notice('msg_1')]);
    const webhook = make();
    reply = () => ({ status: 500 });
    for (clock = 0; clock < 3 * DAY_MS; clock += DAY_MS / 4) await webhook.step(never);
    expect(await store.countNotices()).toBe(1);
    clock += 1;
    await webhook.step(never);
    expect(await store.countNotices()).toBe(0);
    expect(figure(webhook, 'given_up_total')).toBe(1);
    expect(JSON.stringify(logged)).toContain('was given up');
    webhook.close();
  });

  it('goes on without a receiver, and past answers that never end', async () => {
    await store.tell([], [notice('msg_1')]);
    const webhook = make();
    reply = () => ({ status: 200, body: Buffer.alloc(4 << 20, 'x') });
    await webhook.step(never);
    expect(await store.countNotices()).toBe(0);
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
    await store.tell([], [notice('msg_2')]);
    await webhook.step(never);
    expect((await store.dueNotices(Number.MAX_SAFE_INTEGER, 9))[0]).toMatchObject({ id: 'msg_2', tries: 1 });
    webhook.close();
  });

  it('takes a new secret without a restart, and shows none', async () => {
    const webhook = make();
    await store.tell([], [notice('msg_1')]);
    await webhook.step(never);
    const secret = writeSecret();
    await store.tell([], [{ ...notice('msg_1'), id: 'msg_1' }]);
    await webhook.step(never);
    expect(seen[0]?.headers['webhook-timestamp']).toBe(seen[1]?.headers['webhook-timestamp']);
    expect(seen[0]?.headers['webhook-signature']).not.toBe(seen[1]?.headers['webhook-signature']);
    writeFileSync(secretFile, 'half');
    await store.tell([], [notice('msg_2')]);
    await webhook.step(never);
    expect(ids()).toEqual(['msg_1', 'msg_1', 'msg_2']);
    expect(JSON.stringify([logged, seen])).not.toContain(secret.slice(6, 30));
    webhook.close();
  });
});
