import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { auditLines, verifyAudit } from '../../../src/hub/audit/audit.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { ready, scoutHub, start, whoami } from '../../cli/hub/helpers.ts';
import { tempFolder } from '../helpers.ts';

/* Keys that change while hubs die, and while several processes change them at once. */

const LIVES = 5;
const WRITERS = 4;
const CHANGES = 25;

let folder: ReturnType<typeof tempFolder>;
let hub: ChildProcessWithoutNullStreams | undefined;
const children: ChildProcess[] = [];
let agent: Agent;
beforeEach(() => {
  folder = tempFolder();
  agent = new Agent({ keepAlive: true });
});
afterEach(() => {
  hub?.kill('SIGKILL');
  for (const child of children.splice(0)) child.kill('SIGKILL');
  agent.destroy();
  folder.remove();
});

async function startHub(): Promise<number> {
  hub = start(['serve', '--listen', '127.0.0.1:0', '--tls-self-signed', '--data', folder.path]);
  return Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(await ready(hub))?.[1]);
}

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');

/** Status of a key route; undefined when the hub died before it answered. */
function post(port: number, ca: string, route: string, key: string, body: object, more: Record<string, string> = {}) {
  return new Promise<{ status: number; body: { key?: string } } | undefined>((resolve) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/json', ...more };
    const sent = request({ host: '127.0.0.1', port, ca, agent, method: 'POST', path: `/api/v1/keys/${route}`, headers }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += chunk));
      answer.on('error', () => resolve(undefined));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) }));
    });
    sent.on('error', () => resolve(undefined));
    sent.end(JSON.stringify(body));
  });
}

it('a hub that is killed in the middle of key changes leaves exactly one of the old and the new key', { timeout: 180_000 }, async () => {
  let port = await startHub();
  const ca = readFileSync(join(folder.path, 'ca.pem'), 'utf8');
  let { key } = JSON.parse(
    (await scoutHub(['server', 'add', 'web-1', '--policy', 'immediate', '--json', '--data', folder.path])).stdout,
  ) as { key: string };
  for (let life = 0; life < LIVES; life++) {
    const ended = once(hub as ChildProcessWithoutNullStreams, 'close');
    for (let change = 0; ; change++) {
      const [fresh, idempotency] = [randomBytes(32).toString('hex'), randomUUID()];
      const mint = change % 2 === 1;
      const ask = () =>
        mint
          ? post(port, ca, 'mint', key, {}, { 'idempotency-key': idempotency })
          : post(port, ca, 'register', key, { sha256: sha256(fresh) });
      const answer = ask();
      // At other points each time: before it is read, in the middle, after it was answered.
      if (change === 3 + (life % 4)) setTimeout(() => hub?.kill('SIGKILL'), life);
      const done = await answer;
      if (done) {
        expect(done.status).toBe(200);
        key = mint ? (done.body.key as string) : fresh;
        continue;
      }
      await ended;
      port = await startHub();
      if (mint) {
        // The same request brings the key, whether it was made before the end or is made now.
        key = (await ask())?.body.key as string;
        expect(await whoami(port, ca, key)).toBe(200);
      } else {
        const statuses = [await whoami(port, ca, key), await whoami(port, ca, fresh)];
        expect(statuses.toSorted()).toEqual([200, 401]);
        if (statuses[1] === 200) key = fresh;
      }
      break;
    }
  }
  const store = SqliteStore.open(folder.path);
  const [{ id }] = (await store.servers('default')) as unknown as [{ id: string }];
  expect(await store.keys(id)).toMatchObject([{ hash: sha256(key), enabled: true, validUntil: null }]);
  await verifyAudit(auditLines(store, 'default'));
  await store.close();
});

it('several processes that change keys of one database at once write one chain, and lose none of their changes', {
  timeout: 180_000,
}, async () => {
  const sources = new URL('../../../src/hub/', import.meta.url).href;
  const code = `
    const { SqliteStore } = await import('${sources}store/sqlite-store.ts');
    const { addServer } = await import('${sources}servers.ts');
    const { addKey, rotateKey, retireKeys } = await import('${sources}keys/changes.ts');
    const [folder, who] = process.argv.slice(1);
    const store = SqliteStore.open(folder);
    const hub = { store, now: () => Date.now(), org: 'default', actor: who };
    await addServer(hub, who, 'grace', 60_000);
    for (let count = 0; count < ${CHANGES}; count++) {
      await rotateKey(hub, who);
      await addKey(hub, 'shared', who + '-' + count);
    }
    await store.close();`;
  expect((await scoutHub(['server', 'add', 'shared', '--policy', 'multi', '--data', folder.path])).status).toBe(0);
  const ends = Array.from({ length: WRITERS }, (_, index) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', code, '--', folder.path, `w${index}`], { stdio: 'inherit' });
    children.push(child);
    return once(child, 'close');
  });
  expect(await Promise.all(ends)).toEqual(Array(WRITERS).fill([0, null]));
  const store = SqliteStore.open(folder.path);
  const { lines } = await verifyAudit(auditLines(store, 'default'));
  expect(lines).toBe(1 + WRITERS * (1 + 2 * CHANGES));
  const { id } = (await store.serverByName('default', 'shared')) as { id: string };
  expect(await store.keys(id)).toHaveLength(1 + WRITERS * CHANGES);
  await store.close();
});
