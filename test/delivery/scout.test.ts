import { createPrivateKey, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Outcome } from '../../src/delivery/heartbeats.ts';
import { ScoutDestination } from '../../src/delivery/scout.ts';
import { Transport, type TransportOptions } from '../../src/delivery/transport.ts';
import { unpack } from '../../src/protocol/frame.ts';
import { beat, openSpool, tempFolder } from './support.ts';
import { accept, answer, authority, body, serve } from './tls.ts';

const ca = authority();

const SECRET = 'not-a-real-key';
const credential = () => ({ fingerprint: '0'.repeat(12), headers: () => ({ 'x-api-key': SECRET }) });

interface Over extends Partial<TransportOptions> {
  timeout?: number;
  onSkew?: (ms: number) => void;
}

function destination(endpoint: string, { timeout = 5_000, onSkew, ...over }: Over = {}): ScoutDestination {
  const transport = new Transport({ endpoint, tls: { ca_file: ca.file }, env: {}, ...over });
  const host = { now: () => Date.now(), monotonic: () => performance.now() };
  const made = new ScoutDestination({ name: 'api', endpoint, credential, transport, host, timeout, ...(onSkew && { onSkew }) });
  onTestFinished(() => made.close());
  return made;
}

function batchOf(count: number) {
  const { spool } = openSpool();
  for (let i = 0; i < count; i++) spool.append(beat());
  return spool.batch('api', count, 2 ** 20);
}

const send = (to: ScoutDestination, count = 1): Promise<Outcome> => to.send(batchOf(count), new AbortController().signal);

async function service(listener: RequestListener, host?: string) {
  return serve(ca.issue(), listener, host);
}

/** What a service that answers like this makes of a batch of 3. */
async function outcome(write: (response: ServerResponse) => void): Promise<Outcome> {
  const { endpoint } = await service(async (request, response) => {
    await body(request);
    write(response);
  });
  return send(destination(endpoint), 3);
}

const problem = (code: string, more: Record<string, unknown> = {}) => ({
  type: 'about:blank',
  title: code,
  status: 0,
  detail: `because ${code}`,
  code,
  ...more,
});

describe('a request', () => {
  it('carries the frames end to end, the key in its header and nothing else', async () => {
    const seen: { headers?: Record<string, unknown>; text?: string } = {};
    const { endpoint } = await service(async (request, response) => {
      seen.headers = request.headers;
      seen.text = unpack(await body(request)).toString();
      accept(response, 2);
    });
    expect(await send(destination(endpoint), 2)).toMatchObject({
      kind: 'accepted',
      accepted: 2,
      duplicates: 0,
      slot: 'current',
      previousKeyValidUntil: null,
    });
    expect(seen.headers).toMatchObject({ 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd', 'x-api-key': SECRET });
    const lines = seen.text
      ?.trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).sequence);
    expect(lines).toEqual([1, 2]);
  });

  it('keeps its connection, and makes a new one when told', async () => {
    const ports: (number | undefined)[] = [];
    const { endpoint } = await service((request, response) => {
      ports.push(request.socket.remotePort);
      accept(response, 1);
    });
    const to = destination(endpoint);
    await send(to);
    await send(to);
    to.renew();
    await send(to);
    expect(ports[0]).toBe(ports[1]);
    expect(ports[2]).not.toBe(ports[1]);
  });

  it('falls back to gzip, then to plain JSON, and remembers it', async () => {
    const encodings: (string | undefined)[] = [];
    const { endpoint } = await service(async (request, response) => {
      const bytes = await body(request);
      const encoding = request.headers['content-encoding'];
      encodings.push(encoding);
      if (encoding === 'zstd') return answer(response, 415, problem('unsupported_encoding'));
      expect(JSON.parse(gunzipSync(bytes).toString().trim()).sequence).toBe(1);
      accept(response, 1);
    });
    const to = destination(endpoint);
    expect((await send(to)).kind).toBe('accepted');
    await send(to);
    expect(encodings).toEqual(['zstd', 'gzip', 'gzip']);

    const plain = await service(async (request, response) => {
      const bytes = await body(request);
      if (request.headers['content-encoding']) return answer(response, 415, problem('unsupported_encoding'));
      expect(JSON.parse(bytes.toString().trim()).sequence).toBe(1);
      accept(response, 1);
    });
    expect((await send(destination(plain.endpoint))).kind).toBe('accepted');
  });

  it('puts the path of the endpoint before its own', async () => {
    let path: string | undefined;
    const { endpoint } = await service((request, response) => {
      path = request.url;
      accept(response, 1);
    });
    await send(destination(`${endpoint}/behind/`));
    expect(path).toBe('/behind/api/v1/heartbeats');
  });

  it('asks again on a new connection when the kept one was closed under it', async () => {
    let requests = 0;
    const { endpoint } = await service(async (request, response) => {
      await body(request);
      requests++;
      if (requests === 2) return void request.socket.destroy();
      accept(response, 1);
    });
    const to = destination(endpoint);
    await send(to);
    expect((await send(to)).kind).toBe('accepted');
    expect(requests).toBe(3);
  });

  it('tells how far the clock of the service is ahead', async () => {
    const skews: number[] = [];
    const { endpoint } = await service((_, response) => {
      response.setHeader('date', new Date(Date.now() + 3_600_000).toUTCString());
      accept(response, 1);
    });
    await send(destination(endpoint, { onSkew: (ms) => void skews.push(ms) }));
    expect(Math.round((skews[0] ?? 0) / 60_000)).toBe(60);
  });

  it('goes to IPv6', async () => {
    const { endpoint } = await service((_, response) => accept(response, 1), '::1');
    expect(endpoint).toContain('[::1]');
    expect((await send(destination(endpoint))).kind).toBe('accepted');
  });

  it('goes over plain http to loopback, past any proxy', async () => {
    const server = createHttpServer((_, response) => accept(response, 1));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const skews: number[] = [];
    const to = destination(endpoint, { env: { http_proxy: 'http://127.0.0.1:1' }, onSkew: (ms) => void skews.push(ms) });
    expect((await send(to)).kind).toBe('accepted');
    expect(skews).toEqual([]);
  });
});

describe('an answer', () => {
  const rows: [string, (response: ServerResponse) => void, Partial<Outcome> & Record<string, unknown>][] = [
    ['200 with duplicates', (r) => accept(r, 1, 2), { kind: 'accepted', accepted: 1, duplicates: 2 }],
    ['200 that does not account for all', (r) => accept(r, 1), { kind: 'unavailable', reason: 'unexpected' }],
    [
      '200 with a web page',
      (r) => r.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>'),
      { kind: 'unavailable', reason: 'unexpected' },
    ],
    [
      '200 with JSON that is cut',
      (r) => r.writeHead(200, { 'content-type': 'application/json' }).end('{"accepted":3'),
      { kind: 'unavailable', reason: 'unexpected' },
    ],
    ['401 of the service', (r) => answer(r, 401, problem('key_refused')), { kind: 'unauthorized', detail: 'because key_refused' }],
    [
      '401 of a proxy',
      (r) => r.writeHead(401, { 'content-type': 'text/html' }).end('<html>'),
      { kind: 'unavailable', reason: 'unexpected' },
    ],
    ['403 of the service', (r) => answer(r, 403, problem('forbidden')), { kind: 'forbidden' }],
    ['403 of a firewall', (r) => r.writeHead(403).end('blocked'), { kind: 'unavailable', reason: 'unexpected' }],
    ['404', (r) => answer(r, 404, problem('not_found')), { kind: 'unavailable', reason: 'unexpected' }],
    ['407', (r) => r.writeHead(407).end(), { kind: 'unavailable', reason: 'proxy' }],
    ['413', (r) => r.writeHead(413).end(), { kind: 'too-large' }],
    ['400 that names a heartbeat', (r) => answer(r, 400, problem('heartbeat_invalid', { index: 2 })), { kind: 'rejected', index: 2 }],
    [
      '422 with an index that is none',
      (r) => answer(r, 422, problem('heartbeat_invalid', { index: 7 })),
      { kind: 'rejected', detail: 'because heartbeat_invalid' },
    ],
    ['400 of a proxy', (r) => r.writeHead(400).end('Bad Request'), { kind: 'unavailable', reason: 'unexpected' }],
    ['408', (r) => r.writeHead(408).end(), { kind: 'unavailable', reason: 'busy' }],
    [
      '429 with seconds',
      (r) => answer(r, 429, problem('too_many'), { 'retry-after': '7' }),
      { kind: 'unavailable', reason: 'busy', retryAfter: 7_000 },
    ],
    [
      '503 with a date long past',
      (r) => r.writeHead(503, { 'retry-after': new Date(0).toUTCString() }).end(),
      { kind: 'unavailable', reason: 'busy', retryAfter: 0 },
    ],
    ['500', (r) => answer(r, 500, problem('internal')), { kind: 'unavailable', reason: 'server-error' }],
    ['502', (r) => r.writeHead(502).end('<html>'), { kind: 'unavailable', reason: 'server-error' }],
    ['302', (r) => r.writeHead(302, { location: 'https://elsewhere.invalid/' }).end(), { kind: 'unavailable', reason: 'unexpected' }],
    [
      'a page without end',
      (r) => r.writeHead(200, { 'content-type': 'text/html' }).end('x'.repeat(200_000)),
      { kind: 'unavailable', reason: 'unexpected' },
    ],
    [
      'a connection cut in mid-answer',
      (r) => {
        r.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' }).write('{"acc');
        setImmediate(() => r.socket?.destroy());
      },
      { kind: 'unavailable', reason: 'reset' },
    ],
    ['a connection cut before the answer', (r) => void r.socket?.destroy(), { kind: 'unavailable', reason: 'reset' }],
  ];
  it.each(rows)('%s', async (_, write, expected) => {
    const found = await outcome(write);
    expect(found).toMatchObject(expected);
    expect(JSON.stringify(found)).not.toContain(SECRET);
  });

  it('413 for one heartbeat counts only from the service itself', async () => {
    const { endpoint } = await service((_, response) => response.writeHead(413).end());
    expect(await send(destination(endpoint), 1)).toMatchObject({ kind: 'unavailable', reason: 'unexpected' });
  });
});

describe('no answer', () => {
  it('when nothing listens', async () => {
    const { endpoint, server } = await service(() => {});
    await new Promise((resolve) => server.close(resolve));
    expect(await send(destination(endpoint))).toMatchObject({ kind: 'unavailable', reason: 'refused' });
  });

  it('when the name does not exist', async () => {
    expect(await send(destination('https://no-such-host.invalid'))).toMatchObject({ kind: 'unavailable', reason: 'dns' });
  });

  it('when the service never answers', async () => {
    const { endpoint } = await service(() => {});
    expect(await send(destination(endpoint, { timeout: 100 }))).toMatchObject({ kind: 'unavailable', reason: 'timeout' });
  });

  it('when the answer never ends', async () => {
    const { endpoint } = await service((_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{'));
    expect(await send(destination(endpoint, { timeout: 100 }))).toMatchObject({ kind: 'unavailable', reason: 'timeout' });
  });

  it('when the connection is taken and nothing said', async () => {
    const server = createTcpServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const to = destination(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, { timeout: 100 });
    expect(await send(to)).toMatchObject({ kind: 'unavailable', reason: 'timeout' });
  });

  it('when something else than TLS is spoken there', async () => {
    const server = createTcpServer((socket) => void socket.on('error', () => {}).end('SSH-2.0-OpenSSH\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    expect(await send(destination(`https://127.0.0.1:${(server.address() as AddressInfo).port}`))).toMatchObject({
      kind: 'unavailable',
      reason: 'tls',
    });
  });

  it('when the request is cut off', async () => {
    const controller = new AbortController();
    const { endpoint } = await service(() => controller.abort());
    expect(await destination(endpoint).send(batchOf(1), controller.signal)).toMatchObject({ kind: 'unavailable' });
  });
});

describe('a certificate', () => {
  it('of an authority that is not ours is refused', async () => {
    const other = authority();
    const { endpoint } = await serve(other.issue(), (_, response) => accept(response, 1));
    expect(await send(destination(endpoint))).toMatchObject({
      kind: 'unavailable',
      reason: 'tls',
      detail: expect.stringContaining('not trusted'),
    });
  });

  it('for another name is refused', async () => {
    const { endpoint } = await serve(ca.issue(['other.example']), (_, response) => accept(response, 1));
    expect(await send(destination(endpoint))).toMatchObject({
      kind: 'unavailable',
      reason: 'tls',
      detail: expect.stringContaining('is not for'),
    });
  });

  it('that has expired is refused', async () => {
    const { endpoint } = await serve(ca.issue(undefined, Date.now() - 500 * 86_400_000), (_, response) => accept(response, 1));
    expect(await send(destination(endpoint))).toMatchObject({
      kind: 'unavailable',
      reason: 'tls',
      detail: expect.stringContaining('expired'),
    });
  });

  it('of ours is shown where the service asks for it, its key under a passphrase', async () => {
    const client = ca.issue(['this agent']);
    // What it is for is the service's business; that it is shown, and its key proven, is ours.
    const asking = { ...ca.issue(), requestCert: true, rejectUnauthorized: false };
    const { endpoint } = await serve(asking, (request, response) => {
      const shown = (request.socket as TLSSocket).getPeerX509Certificate();
      if (shown?.fingerprint256 === new X509Certificate(client.cert).fingerprint256) accept(response, 1);
      else answer(response, 403, problem('forbidden'));
    });
    expect(await send(destination(endpoint))).toMatchObject({ kind: 'forbidden' });

    const folder = tempFolder();
    const passphrase = 'open sesame';
    const sealed = createPrivateKey(client.key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });
    writeFileSync(join(folder, 'cert.pem'), client.cert);
    writeFileSync(join(folder, 'key.pem'), sealed);
    const tls = { ca_file: ca.file, cert_file: join(folder, 'cert.pem'), key_file: join(folder, 'key.pem'), key_passphrase: passphrase };
    expect(await send(destination(endpoint, { tls }))).toMatchObject({ kind: 'accepted' });
  });

  it('authorities are taken in once for all connections: each time anew they would fill the memory', async () => {
    const { endpoint } = await serve(ca.issue(), (_, response) => response.setHeader('connection', 'close').end());
    const contexts: unknown[] = [];
    const { Agent } = https;
    const made = vi.spyOn(https, 'Agent').mockImplementation(
      class extends Agent {
        constructor(options?: https.AgentOptions) {
          super(options);
          contexts.push(options?.secureContext);
        }
      },
    );
    onTestFinished(() => made.mockRestore());
    const transport = new Transport({ endpoint, tls: { ca_file: ca.file }, env: {} });
    for (let round = 0; round < 3; round++) {
      expect((await transport.request({ method: 'GET', path: '/', headers: {}, timeout: 5_000 })).secure).toBe(true);
      transport.renew();
    }
    expect(contexts).toHaveLength(3);
    expect(contexts[0]).toBeDefined();
    expect(new Set(contexts).size).toBe(1);
  });

  it('that cannot be read is an error of the configuration', () => {
    const broken = () => new Transport({ endpoint: 'https://127.0.0.1:1', tls: { ca_file: '/nonexistent/ca.pem' } });
    expect(broken).toThrow(expect.objectContaining({ code: 'TLS_FILE' }));
  });
});

describe('a proxy', () => {
  const AUTH = `Basic ${Buffer.from('us@er:pass word').toString('base64')}`;

  async function proxy(answerOf?: string): Promise<{ port: number; asked: string[] }> {
    const asked: string[] = [];
    const sockets = new Set<Socket>();
    const server = createHttpServer();
    server.on('connect', (request, socket: Socket, head: Buffer) => {
      sockets.add(socket);
      socket.on('error', () => {});
      asked.push(request.url ?? '');
      if (answerOf) return void socket.end(`HTTP/1.1 ${answerOf}\r\n\r\n`);
      if (request.headers['proxy-authorization'] !== AUTH) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      const [host, port] = (request.url ?? '').split(':');
      const through = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        through.write(head);
        through.pipe(socket).pipe(through);
      });
      through.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { port: (server.address() as AddressInfo).port, asked };
  }

  it('is asked to CONNECT, with its own credentials, and sees none of ours', async () => {
    const { port, asked } = await proxy();
    const { endpoint } = await service((request, response) => {
      expect(request.headers['proxy-authorization']).toBeUndefined();
      accept(response, 1);
    });
    const to = destination(endpoint, { proxy: `http://us%40er:pass%20word@127.0.0.1:${port}` });
    expect((await send(to)).kind).toBe('accepted');
    expect((await send(to)).kind).toBe('accepted');
    expect(asked).toEqual([endpoint.replace('https://', '')]);
  });

  it('is taken from the environment, where no_proxy does not exempt the service', async () => {
    const { port, asked } = await proxy();
    const { endpoint } = await service((_, response) => accept(response, 1));
    const https_proxy = `http://us%40er:pass%20word@127.0.0.1:${port}`;
    expect((await send(destination(endpoint, { env: { https_proxy } }))).kind).toBe('accepted');
    expect((await send(destination(endpoint, { env: { HTTPS_PROXY: https_proxy, NO_PROXY: '127.0.0.1' } }))).kind).toBe('accepted');
    expect(asked).toHaveLength(1);
  });

  it('that refuses is told from the service', async () => {
    const { port } = await proxy();
    const { endpoint } = await service((_, response) => accept(response, 1));
    expect(await send(destination(endpoint, { proxy: `http://who:secret-word@127.0.0.1:${port}` }))).toMatchObject({
      kind: 'unavailable',
      reason: 'proxy',
      detail: 'the proxy wants a user name and password (407)',
    });
    const closed = await proxy('502 Bad Gateway');
    expect(await send(destination(endpoint, { proxy: `http://127.0.0.1:${closed.port}` }))).toMatchObject({
      reason: 'refused',
      detail: 'the proxy does not connect to the service (502)',
    });
    expect(await send(destination(endpoint, { proxy: 'http://127.0.0.1:1' }))).toMatchObject({
      reason: 'refused',
      detail: expect.stringContaining('or the proxy'),
    });
  });
});
