import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addCredential } from '../../src/hub/credentials/credentials.ts';
import { parsePublicKey } from '../../src/hub/credentials/public-key.ts';
import { KEYS_MOST } from '../../src/hub/keys/policies.ts';
import { addServer, listKeys } from '../../src/hub/servers.ts';
import { PATHS } from '../../src/protocol/wire.ts';
import { heartbeat, lineOf, problemOf, TestHub } from './helpers.ts';

/* What somebody sends who means the hub no good: each is refused in order, and changes nothing. */

let hub: TestHub;
beforeEach(async () => {
  hub = await new TestHub().start();
});
afterEach(() => hub.close());

const newKey = () => randomBytes(32).toString('hex');
const KEY_ROUTES = [PATHS.register, PATHS.mint, PATHS.retire];

/** A request as it is written, byte for byte; resolves to the status of each answer until the hub closes. */
async function raw(text: string): Promise<number[]> {
  const socket = connect({ host: '127.0.0.1', port: hub.serving.port, ca: hub.ca });
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.on('error', () => {});
  socket.write(text);
  await new Promise((resolve) => socket.once('close', resolve));
  return [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
}
const request = (method: string, path: string, headers: string[], body = '') =>
  [
    `${method} ${path} HTTP/1.1`,
    'Host: hub',
    'Connection: close',
    ...headers,
    ...(body ? [`Content-Length: ${Buffer.byteLength(body)}`] : []),
    '',
    body,
  ].join('\r\n');

describe('headers that disagree', () => {
  const beat = lineOf(heartbeat()).toString();
  /** What both ways into the hub answer: the one of heartbeats, and the router's. */
  const both = async (headers: string[]) => [
    ...(await raw(request('GET', PATHS.whoami, headers))),
    ...(await raw(request('POST', PATHS.heartbeats, [...headers, 'Content-Type: application/json'], beat))),
  ];

  it('are judged alike by every route: two of one kind are none, and X-API-Key comes first', async () => {
    const [good, bad] = [hub.server.key, newKey()];
    expect(await both([`X-API-Key: ${good}`])).toEqual([200, 200]);
    expect(await both([`Authorization: Bearer ${good}`])).toEqual([200, 200]);
    for (const [one, two] of [
      [good, bad],
      [bad, good],
      [good, good],
    ]) {
      expect(await both([`X-API-Key: ${one}`, `x-api-key: ${two}`])).toEqual([401, 401]);
      expect(await both([`Authorization: Bearer ${one}`, `authorization: Bearer ${two}`])).toEqual([401, 401]);
    }
    expect(await both([`X-API-Key: ${good}`, `Authorization: Bearer ${bad}`])).toEqual([200, 200]);
    expect(await both([`X-API-Key: ${bad}`, `Authorization: Bearer ${good}`])).toEqual([401, 401]);
    expect(await both(['X-API-Key:', `Authorization: Bearer ${good}`])).toEqual([401, 401]);
  });

  it('on where a body ends are refused before anything reads it', async () => {
    const key = `X-API-Key: ${hub.server.key}`;
    const smuggled = ['Content-Length: 3', 'Transfer-Encoding: chunked'];
    for (const headers of [smuggled, smuggled.toReversed(), ['Content-Length: 3', 'Content-Length: 4'], ['Content-Length: -1']])
      expect(await raw(request('POST', PATHS.mint, [key, ...headers]))).toEqual([400]);
  });

  it('of an Idempotency-Key that is huge, repeated or unprintable, mint nothing', async () => {
    const headers = [`X-API-Key: ${hub.server.key}`, 'Content-Type: application/json'];
    const mint = (...more: string[]) => raw(request('POST', PATHS.mint, [...headers, ...more], '{}'));
    expect(await mint(`Idempotency-Key: ${'x'.repeat(10_000)}`)).toEqual([400]);
    expect(await mint(`Idempotency-Key: ${'x'.repeat(100_000)}`)).toEqual([431]);
    expect(await mint(`Idempotency-Key: ${'x'.repeat(100)}`, `Idempotency-Key: ${'y'.repeat(100)}`)).toEqual([400]);
    expect(await mint(`Idempotency-Key: ${'\t'.repeat(20)}x`)).toEqual([400]);
    expect(await listKeys(hub.registry, 'web-1')).toHaveLength(1);
  });
});

it.each(['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'GET'])(
  '%s of a key route or of heartbeats does nothing',
  async (method) => {
    for (const path of [...KEY_ROUTES, PATHS.heartbeats])
      expect(await raw(request(method, path, [`X-API-Key: ${hub.server.key}`]))).toEqual([405]);
    expect(await listKeys(hub.registry, 'web-1')).toHaveLength(1);
  },
);

it('no other spelling of a path leads past the scopes', async () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const der = pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64url');
  const key = parsePublicKey(der, 'f');
  await addCredential(hub.registry, { name: 'narrow', key, role: 'member', scopes: ['heartbeats'] });
  const secret = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'der', type: 'spki' });
  const body = JSON.stringify({ public_key: other.toString('base64url') });
  const headers = [`Authorization: Bearer ${secret}`, 'Content-Type: application/json'];
  const spellings = ['/api/v1/keys/%72egister', '/api/v1/keys/register?', '/api/v1/keys/register/', '//api/v1/keys/register'];
  for (const path of [
    PATHS.register,
    ...spellings,
    '/api/v1/../v1/keys/register',
    'https://hub/api/v1/keys/register',
    '/API/v1/keys/register',
  ])
    for (const status of await raw(request('POST', path, headers, body))) expect([400, 403, 404], path).toContain(status);
  expect(await hub.serving.hub.store.credentials('default')).toHaveLength(1);
});

it.each([
  'null',
  '[]',
  '"x"',
  '0',
  '{"__proto__":{"sha256":"x"}}',
  '{"constructor":{"prototype":{}}}',
  '{"sha256":null}',
  '{"sha256":["x"]}',
  '{"sha256":{"toString":"x"}}',
  `{"sha256":"${'A'.repeat(64)}"}`,
  `{"sha256":"${'a'.repeat(64)}","x":1}`,
  `{"sha256":"${'a'.repeat(63)}\\u0000"}`,
  `{"fingerprint":"${'a'.repeat(64)}"}`,
  '{"fingerprint":""}',
  '{"fingerprint":"%"}',
  '{"a":1}\n{"a":1}',
  '['.repeat(16_000),
  `${'['.repeat(8_000)}${']'.repeat(8_000)}`,
])('a body of %.60s is refused with 400 by each key route', async (body) => {
  for (const path of KEY_ROUTES) {
    const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() };
    const answer = await hub.call(path, { body, headers });
    expect([answer.status, problemOf(answer).status], path).toEqual([400, 400]);
  }
  expect(await listKeys(hub.registry, 'web-1')).toHaveLength(1);
});

it.each(['', '\n', 'changeme', 'YOUR_API_KEY', '0'.repeat(64)])('the SHA-256 of %j is not registered', async (text) => {
  const sha256 = createHash('sha256').update(text).digest('hex');
  const answer = await hub.call(PATHS.register, { body: JSON.stringify({ sha256 }), headers: { 'content-type': 'application/json' } });
  expect(answer.status).toBe(400);
  expect(problemOf(answer)).toMatchObject({ code: 'key_invalid', detail: expect.stringContaining('placeholder') });
  expect(await listKeys(hub.registry, 'web-1')).toHaveLength(1);
});

it('an agent gone wrong has so many keys and no more, and goes on with those', async () => {
  const { key, server_id } = await addServer(hub.registry, 'many', 'multi', 0);
  const { store } = hub.serving.hub;
  const row = () => ({ id: randomUUID(), serverId: server_id, name: null, hash: newKey(), slot: 'previous' as const, enabled: true });
  const more = Array.from({ length: KEYS_MOST - 2 }, () => ({ ...row(), createdAt: 1, validUntil: null, lastUsed: null }));
  await store.changeKeys(server_id, () => ({ put: more }));
  const headers = () => ({ 'content-type': 'application/json', 'idempotency-key': randomUUID() });
  const register = () => hub.call(PATHS.register, { key, body: JSON.stringify({ sha256: newKey() }), headers: headers() });
  expect((await register()).status).toBe(200);
  for (const answer of [await register(), await hub.call(PATHS.mint, { key, body: '{}', headers: headers() })])
    expect(problemOf(answer)).toMatchObject({ status: 409, code: 'keys_full' });
  const body = JSON.stringify({ fingerprint: more[0]?.hash.slice(0, 12) });
  expect((await hub.call(PATHS.retire, { key, body, headers: headers() })).status).toBe(200);
  expect((await register()).status).toBe(200);
});

describe('keys that are turned on each other', () => {
  const retire = async (key: string, fingerprint: string) =>
    (await hub.call(PATHS.retire, { key, body: JSON.stringify({ fingerprint }), headers: { 'content-type': 'application/json' } })).status;
  const print = (key: string) => createHash('sha256').update(key).digest('hex').slice(0, 12);

  it('at once leave one that works', async () => {
    for (let round = 0; round < 10; round++) {
      const name = `r${round}`;
      const { key: one } = await addServer(hub.registry, name, 'multi', 0);
      const two = newKey();
      const body = JSON.stringify({ sha256: createHash('sha256').update(two).digest('hex') });
      await hub.call(PATHS.register, { key: one, body, headers: { 'content-type': 'application/json' } });
      const statuses = await Promise.all([retire(one, print(two)), retire(two, print(one))]);
      expect(statuses.toSorted()).toEqual([200, 401]);
      const [left, ...rest] = await listKeys(hub.registry, name);
      expect(rest).toEqual([]);
      expect(left).toMatchObject({ enabled: true, slot: 'current', valid_until: null });
    }
  });
});
