import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { constants, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Limits } from '../../../src/hub/http/server.ts';
import { addUser } from '../../../src/hub/people/users.ts';
import { showServer } from '../../../src/hub/servers.ts';
import { DICTIONARY, DICTIONARY_ID } from '../../../src/protocol/dictionary.ts';
import { acceptedSchema, problemSchema, whoamiSchema } from '../../../src/protocol/heartbeat.ts';
import { keyViewSchema, serverDetailsSchema, serverSummarySchema } from '../../../src/protocol/servers.ts';
import { BATCH_MAX_BYTES, BATCH_MAX_COUNT, BODY_MAX_BYTES, HEARTBEAT_MAX_BYTES } from '../../../src/protocol/wire.ts';
import { type Answer, heartbeat, lineOf, packed, type problemOf, registryOf, TestHub } from '../helpers.ts';

let hub: TestHub;
beforeAll(async () => {
  hub = await new TestHub().start();
});
afterAll(() => hub.close());

const several = (count: number) => {
  const instance = randomUUID();
  return Array.from({ length: count }, (_, index) => heartbeat({ instance, sequence: index + 1 }));
};
const accepted = (answer: Answer) => {
  expect(answer.status, answer.text).toBe(200);
  return acceptedSchema.strict().parse(JSON.parse(answer.text));
};
function refused(answer: Answer, status: number, code: string): ReturnType<typeof problemOf> {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  const problem = problemSchema.strict().parse(JSON.parse(answer.text));
  expect(problem).toMatchObject({ status, code });
  return problem;
}

describe('POST /api/v1/heartbeats', () => {
  it('takes joined zstd frames, and keeps each as it came', async () => {
    const beats = several(3).map((one) => ({ ...one, time: 1_000 + one.sequence }));
    expect(accepted(await hub.post(packed(beats)))).toEqual({
      accepted: 3,
      duplicates: 0,
      fingerprint: hub.server.fingerprint,
      slot: 'current',
      previous_key_valid_until: null,
    });
    const kept = await hub.serving.hub.store.recent(hub.server.server_id, 1_000, 2_000);
    expect(kept.map(({ frame }) => Buffer.from(frame))).toEqual(beats.map((one) => zstdCompressSync(lineOf(one))));
    expect(accepted(await hub.post(packed(beats)))).toMatchObject({ accepted: 0, duplicates: 3 });
  });

  it.each([
    ['gzip members, joined', 'gzip', (beats: unknown[]) => Buffer.concat(beats.map((one) => gzipSync(lineOf(one))))],
    ['one frame over all lines', 'zstd', (beats: unknown[]) => zstdCompressSync(Buffer.concat(beats.map(lineOf)))],
    [
      'frames that end within lines',
      'zstd',
      (beats: unknown[]) => {
        const text = Buffer.concat(beats.map(lineOf));
        return Buffer.concat([
          zstdCompressSync(text.subarray(0, 10)),
          zstdCompressSync(text.subarray(10, 700)),
          zstdCompressSync(text.subarray(700)),
        ]);
      },
    ],
    [
      'frames that do not say their size',
      'zstd',
      (beats: unknown[]) =>
        Buffer.concat(beats.map((one) => zstdCompressSync(lineOf(one), { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }))),
    ],
    [
      'plain lines, the last without its newline',
      '',
      (beats: unknown[]) => Buffer.from(beats.map((one) => JSON.stringify(one)).join('\n\n')),
    ],
  ])('takes %s', async (_, encoding, pack) => {
    const time = 10_000_000 + Math.floor(Math.random() * 1e9);
    const beats = several(3).map((one) => ({ ...one, time: time + one.sequence }));
    const headers = { 'content-encoding': encoding, 'content-type': 'application/x-ndjson; charset=utf-8' };
    expect(accepted(await hub.post(pack(beats), headers))).toMatchObject({ accepted: 3 });
    const kept = await hub.serving.hub.store.recent(hub.server.server_id, time, time + 10);
    expect(kept.map(({ frame }) => JSON.parse(zstdDecompressSync(frame).toString()))).toEqual(beats);
  });

  it('takes frames with the dictionary for heartbeats, mixed with others, and knows no other dictionary', async () => {
    const [one, two, three] = several(3).map(lineOf) as [Buffer, Buffer, Buffer];
    const known = (line: Buffer) => zstdCompressSync(line, { dictionary: DICTIONARY });
    expect(accepted(await hub.post(Buffer.concat([zstdCompressSync(one), known(two), zstdCompressSync(three)])))).toMatchObject({
      accepted: 3,
    });
    const foreign = known(lineOf(heartbeat()));
    // The id stands after magic number and descriptor, in two bytes.
    foreign.writeUInt16LE(DICTIONARY_ID + 1, 5);
    refused(await hub.post(foreign), 415, 'unsupported_encoding');
  });

  it('takes a JSON document: one heartbeat, or an array', async () => {
    const json = { 'content-type': 'application/json', 'content-encoding': '' };
    expect(accepted(await hub.post(JSON.stringify(heartbeat(), null, 2), json))).toMatchObject({ accepted: 1 });
    expect(accepted(await hub.post(JSON.stringify(several(2)), json))).toMatchObject({ accepted: 2 });
    expect(refused(await hub.post('[]', json), 400, 'heartbeat_invalid').index).toBeUndefined();
  });

  it('takes the key as a bearer, and a heartbeat from the far future', async () => {
    const headers = { authorization: `Bearer ${hub.server.key}` };
    expect(accepted(await hub.post(packed([heartbeat({ time: Number.MAX_SAFE_INTEGER })]), headers, null))).toMatchObject({ accepted: 1 });
    expect(await showServer(hub.registry, 'web-1')).toMatchObject({ last_sampled: '+275760-09-13T00:00:00.000Z' });
  });

  it('stores nothing of a batch with a bad one in it, and says which and where', async () => {
    const beats = several(3);
    const bad = [beats[0], beats[1], { ...beats[2], sequence: 0 }];
    const problem = refused(await hub.post(packed(bad)), 400, 'heartbeat_invalid');
    expect(problem.index).toBe(2);
    expect(problem.detail).toContain('sequence');
    expect(accepted(await hub.post(packed(beats)))).toMatchObject({ accepted: 3, duplicates: 0 });
  });

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['an empty frame', zstdCompressSync('')],
    ['newlines only', zstdCompressSync('\n\n')],
    ['no JSON', zstdCompressSync('hello\n')],
    ['a number', zstdCompressSync('1\n')],
    ['an array', zstdCompressSync('[]\n')],
    ['null', zstdCompressSync('null\n')],
    ['JSON nested too deep', zstdCompressSync(`${'['.repeat(100_000)}\n`)],
    ['an infinite number', zstdCompressSync(JSON.stringify(heartbeat()).replace('100', '1e999'))],
    ['bytes that are not UTF-8', zstdCompressSync(Buffer.concat([Buffer.from('{"v":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n')]))],
    ['no zstd', Buffer.from('this is not zstd at all')],
    ['half a frame', packed([heartbeat()]).subarray(0, 60)],
    ['random bytes', randomBytes(500)],
  ])('refuses %s with heartbeat_invalid', async (_, body) => {
    const problem = refused(await hub.post(body), 400, 'heartbeat_invalid');
    expect(problem.detail).not.toContain('hello');
  });

  it('refuses bytes after the last frame, for they may be a heartbeat that was cut', async () => {
    refused(await hub.post(Buffer.concat([packed([heartbeat()]), Buffer.from('garbage')])), 400, 'heartbeat_invalid');
  });

  it('refuses more than one request may carry', async () => {
    refused(await hub.post(packed(several(BATCH_MAX_COUNT + 1))), 413, 'body_too_large');
    refused(
      await hub.post(JSON.stringify(several(BATCH_MAX_COUNT + 1)), { 'content-type': 'application/json', 'content-encoding': '' }),
      413,
      'body_too_large',
    );
    refused(await hub.post(randomBytes(BATCH_MAX_BYTES + 1)), 413, 'body_too_large');
    refused(await hub.post(randomBytes(BATCH_MAX_BYTES + 1), { 'transfer-encoding': 'chunked' }), 413, 'body_too_large');
    refused(await hub.post(Buffer.alloc(BODY_MAX_BYTES + 1, ' '), { 'content-encoding': '' }), 413, 'body_too_large');
    const long = heartbeat({
      inventory: Object.fromEntries(Array.from({ length: 1_100 }, (_, index) => [`fact${index}`, 'x'.repeat(1_000)])),
    });
    const problem = refused(await hub.post(packed([heartbeat(), long])), 413, 'body_too_large');
    expect(problem.index).toBe(1);
    expect(lineOf(long).length).toBeGreaterThan(HEARTBEAT_MAX_BYTES);
    expect(accepted(await hub.post(packed(several(BATCH_MAX_COUNT))))).toMatchObject({ accepted: BATCH_MAX_COUNT });
  });

  it('refuses bombs: a small body that grows, or that claims a huge window', async () => {
    refused(await hub.post(zstdCompressSync(Buffer.alloc(BODY_MAX_BYTES + 1, ' '))), 413, 'body_too_large');
    refused(await hub.post(gzipSync(Buffer.alloc(BODY_MAX_BYTES + 1, ' ')), { 'content-encoding': 'gzip' }), 413, 'body_too_large');
    const joined = Buffer.concat(Array<Buffer>(40).fill(zstdCompressSync(Buffer.alloc(1_000_000, '\n'))));
    refused(await hub.post(joined), 413, 'body_too_large');
    const window = zstdCompressSync(Buffer.alloc(1_000, 'x'), {
      params: { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_windowLog]: 27 },
    });
    // Descriptor without a single segment, window descriptor of 2^27 bytes.
    const claimed = Buffer.concat([window.subarray(0, 4), Buffer.from([0, (27 - 10) << 3]), Buffer.from([1, 0, 0])]);
    refused(await hub.post(claimed), 413, 'body_too_large');
  });

  it('refuses codings, types and methods it does not take', async () => {
    const body = packed([heartbeat()]);
    expect((await hub.post(body, { 'content-encoding': 'br' })).headers['accept-encoding']).toBe('zstd, gzip');
    refused(await hub.post(body, { 'content-encoding': 'gzip, zstd' }), 415, 'unsupported_encoding');
    refused(await hub.post(body, { 'content-type': 'text/plain' }), 415, 'unsupported_type');
    refused(await hub.post(body, { 'content-type': '' }), 415, 'unsupported_type');
    const answer = await hub.call('/api/v1/heartbeats', { method: 'GET' });
    refused(answer, 405, 'method_not_allowed');
    expect(answer.headers.allow).toBe('POST');
  });

  it('asks for a key before it reads a byte', async () => {
    const answer = await hub.post(randomBytes(BATCH_MAX_BYTES * 3), {}, null);
    refused(answer, 401, 'key_missing');
    expect(answer.headers['www-authenticate']).toContain('Bearer');
    refused(await hub.post(packed([heartbeat()]), {}, randomBytes(32).toString('hex')), 401, 'key_refused');
    refused(await hub.post(packed([heartbeat()]), {}, 'x'.repeat(9_000)), 401, 'key_missing');
    refused(await hub.post(packed([heartbeat()]), { authorization: 'Basic abc' }, null), 401, 'key_missing');
  });
});

describe('GET /api/v1/whoami', () => {
  it('tells whose key it is', async () => {
    const answer = await hub.call('/api/v1/whoami');
    const { time, ...rest } = whoamiSchema.strict().parse(JSON.parse(answer.text));
    expect(rest).toEqual({
      service: 'scout-hub',
      service_id: await hub.serving.hub.store.serviceId(),
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      server: { id: hub.server.server_id, name: 'web-1', policy: 'grace' },
      fingerprint: hub.server.fingerprint,
      slot: 'current',
      previous_key_valid_until: null,
      key_created: expect.any(String),
      rotation: ['register', 'mint', 'retire'],
    });
    expect(new Date(time).toISOString()).toBe(time);
    refused(await hub.call('/api/v1/whoami', { key: randomBytes(32).toString('hex') }), 401, 'key_refused');
    refused(await hub.call('/api/v1/whoami', { method: 'DELETE' }), 405, 'method_not_allowed');
  });
});

describe('/api/v1/servers', () => {
  it('answers people what the commands print, and nobody else', async () => {
    const { store } = hub.serving.hub;
    const user = await addUser(registryOf(store), 'ada', 'member', randomBytes(12).toString('hex'));
    const cookie = randomBytes(32).toString('base64url');
    const now = Date.now();
    await store.addSession({ hash: createHash('sha256').update(cookie).digest('hex'), userId: user.id, createdAt: now, lastSeen: now });
    for (const path of ['', '/web-1', '/web-1/keys']) {
      expect((await hub.call(`/api/v1/servers${path}`)).status).toBe(403);
      const answer = await hub.call(`/api/v1/servers${path}`, { key: null, headers: { cookie: `__Host-scout=${cookie}` } });
      expect(answer.status).toBe(200);
      if (path === '') z.array(serverSummarySchema.strict()).length(1).parse(JSON.parse(answer.text));
      else if (path === '/web-1') serverDetailsSchema.strict().parse(JSON.parse(answer.text));
      else z.array(keyViewSchema.strict()).length(1).parse(JSON.parse(answer.text));
    }
  });
});

describe('the rest', () => {
  it('says that it lives, is ready, and what it did', async () => {
    expect(await hub.call('/healthz', { key: null })).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await hub.call('/readyz', { key: null })).toMatchObject({ status: 200, text: 'ok\n' });
    const { text } = await hub.call('/metrics', { key: null });
    expect(text).toMatch(/^scout_hub_heartbeats_accepted_total [1-9]\d*$/m);
    expect(text).toMatch(/^scout_hub_requests_refused_total\{status="401"\} [1-9]/m);
    expect(text).toMatch(/^scout_hub_request_duration_seconds_bucket\{route="heartbeats",le="\+Inf"\} [1-9]/m);
    expect(text).toMatch(/^scout_hub_servers 1$/m);
    refused(await hub.call('/nothing/here', { key: null }), 404, 'not_found');
  });

  it('counts refusals for the server whose key it was', async () => {
    const before = (await hub.serving.hub.store.refusals(hub.server.server_id))['415'] ?? 0;
    refused(await hub.post('x', { 'content-type': 'text/plain' }), 415, 'unsupported_type');
    await expect.poll(async () => (await hub.serving.hub.store.refusals(hub.server.server_id))['415']).toBeGreaterThan(before);
  });
});

describe('a hub of its own', () => {
  let own: TestHub;
  const start = async (limits: Partial<Limits> = {}) => {
    own = await new TestHub().start({ limits });
  };
  afterEach(() => own.close());

  /** Opens a connection, writes a text, and gathers what comes until the other side closes. */
  function raw(text: string): Promise<{ socket: TLSSocket; answer: Promise<string> }> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: own.serving.port, ca: own.ca }, () => {
        socket.write(text);
        const answer = new Promise<string>((settle) => {
          let heard = '';
          socket.on('data', (chunk) => {
            heard += chunk;
          });
          socket.on('close', () => settle(heard));
        });
        resolve({ socket, answer });
      });
      socket.once('error', reject);
    });
  }

  it('throttles an address after many wrong keys, and still lets a good one in', async () => {
    await start();
    const wrong = () => own.call('/api/v1/whoami', { key: randomBytes(32).toString('hex') });
    for (let failure = 0; failure < 50; failure++) refused(await wrong(), 401, 'key_refused');
    const answer = await wrong();
    refused(answer, 429, 'too_many');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect((await own.call('/api/v1/whoami')).status).toBe(200);
  });

  it('ends a request whose headers or body drip in', async () => {
    await start({ headersMs: 100, requestMs: 200, checkMs: 20 });
    const headers = await raw('GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    expect(await headers.answer).toMatch(/^HTTP\/1\.1 408 .*"code":"request_timeout"/s);
    const head = `POST /api/v1/heartbeats HTTP/1.1\r\nHost: a\r\nX-API-Key: ${own.server.key}\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n`;
    const body = await raw(`${head}{"v":`);
    expect(await body.answer).toMatch(/^HTTP\/1\.1 408 /);
    expect((await own.call('/healthz')).status).toBe(200);
  });

  it('answers what is no HTTP, and headers without end, in its own words', async () => {
    await start({ headerBytes: 4_096 });
    expect(await (await raw('\u0016\u0003 what is this\r\n\r\n')).answer).toMatch(/^HTTP\/1\.1 400 .*"code":"bad_request"/s);
    const long = `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(5_000)}\r\n\r\n`;
    expect(await (await raw(long)).answer).toMatch(/^HTTP\/1\.1 431 .*"code":"headers_too_large"/s);
  });

  it('knows disabled and expired keys, and counts them for their server', async () => {
    await start();
    const { store } = own.serving.hub;
    const { serverId, ...key } = (await store.keys(own.server.server_id))[0] as { serverId: string; hash: string };
    const stale = { ...key, serverId } as Awaited<ReturnType<typeof store.keys>>[number];
    const findKey = store.findKey.bind(store);
    for (const over of [{ enabled: false }, { validUntil: 1_000 }]) {
      store.findKey = async (hash) => {
        const found = await findKey(hash);
        return found && { ...found, key: { ...stale, ...over } };
      };
      const problem = refused(await own.post(packed([heartbeat()])), 401, 'key_refused');
      expect(problem.detail).toContain(own.server.fingerprint);
    }
    store.findKey = findKey;
    await expect.poll(() => store.refusals(own.server.server_id)).toEqual({ 401: 2 });
  });

  it('hides what went wrong inside, and goes on', async () => {
    await start();
    const { store } = own.serving.hub;
    const findKey = store.findKey.bind(store);
    store.findKey = () => Promise.reject(new Error('secret detail'));
    for (const path of ['/api/v1/whoami', '/api/v1/heartbeats']) {
      const answer = path.endsWith('whoami') ? await own.call(path) : await own.post(packed([heartbeat()]));
      refused(answer, 500, 'internal');
      expect(answer.text).not.toContain('secret detail');
    }
    store.findKey = findKey;
    accepted(await own.post(packed([heartbeat()])));
  });

  it('finishes the requests under way when it stops', async () => {
    await start();
    const body = lineOf(heartbeat());
    const head = `POST /api/v1/heartbeats HTTP/1.1\r\nHost: a\r\nX-API-Key: ${own.server.key}\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${body.length}\r\n\r\n`;
    const arrived = new Promise<void>((resolve) => {
      const { store } = own.serving.hub;
      const findKey = store.findKey.bind(store);
      store.findKey = async (hash) => {
        setImmediate(resolve);
        return findKey(hash);
      };
    });
    const { socket, answer } = await raw(head);
    await arrived;
    const stopped = own.serving.stop();
    socket.write(body);
    expect(await answer).toMatch(/^HTTP\/1\.1 200 OK.*"accepted":1/s);
    await stopped;
    own.serving.stop = async () => undefined;
  });
});
