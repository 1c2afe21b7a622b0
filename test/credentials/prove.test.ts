import { verify } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { createSecureServer } from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { proveCredential } from '../../src/credentials/prove.ts';
import { proxyFor } from '../../src/credentials/proxy.ts';
import { fingerprintOf } from '../../src/credentials/values.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { freshKey } from '../config/scratch.ts';
import { answer, authority, serve } from '../delivery/tls.ts';
import { freshRsa } from './scratch-keys.ts';

const ca = authority();
const stranger = authority();
const key = freshKey();

const whoami = (over: object = {}) => ({
  service: 'scout-hub',
  service_id: 'hub-1',
  version: '0.1.0',
  server: { id: 's-1', name: 'web-1', policy: 'grace' },
  fingerprint: fingerprint(key),
  slot: 'current',
  previous_key_valid_until: null,
  time: new Date().toISOString(),
  ...over,
});
const problemOf = (status: number, code: string) => ({ type: 'about:blank', title: code, status, detail: `${code} it is`, code });

/** A service that takes one key and refuses all others. */
const service =
  (over: object = {}): RequestListener =>
  (request, response) =>
    request.headers['x-api-key'] === key ? answer(response, 200, whoami(over)) : answer(response, 401, problemOf(401, 'key_refused'));

const config = (endpoint: string, over: Record<string, unknown> = {}) =>
  configSchema.parse({ api: { endpoint, key, timeout: '5s' }, tls: { ca_file: ca.file }, ...over });

async function prove(listener: RequestListener, over: Record<string, unknown> = {}) {
  const { endpoint } = await serve(ca.issue(), listener);
  return proveCredential(config(endpoint, over), {});
}

const names = (found: Awaited<ReturnType<typeof prove>>) => found.proof.steps.map((step) => (step.ok ? step.name : `!${step.name}`));
const told = (found: Awaited<ReturnType<typeof prove>>) => found.problems.map((one) => `${one.code} ${one.message}`).join('\n');

describe('proveCredential', () => {
  it('tells who the service is, that it takes the key and refuses a random one', async () => {
    const found = await prove(service());
    expect(found.problems).toEqual([]);
    expect(names(found)).toEqual(['tcp', 'tls', 'clock', 'service', 'key', 'control']);
    expect(found.proof).toMatchObject({
      ok: true,
      service: 'scout-hub',
      service_id: 'hub-1',
      server: { id: 's-1', name: 'web-1' },
      fingerprint: fingerprint(key),
      slot: 'current',
    });
    expect(JSON.stringify(found)).not.toContain(key);
  });

  it('works on a name, on IPv6, and on plain http to loopback', async () => {
    const { port } = await serve(ca.issue(), service());
    const named = await proveCredential(config(`https://localhost:${port}`), {});
    expect(names(named)).toEqual(['dns', 'tcp', 'tls', 'clock', 'service', 'key', 'control']);
    const six = await serve(ca.issue(), service(), '::1');
    expect((await proveCredential(config(six.endpoint), {})).proof.ok).toBe(true);
    const plain = createServer(service()).listen(0, '127.0.0.1');
    onTestFinished(() => void plain.close());
    await new Promise((resolve) => plain.once('listening', resolve));
    const found = await proveCredential(config(`http://127.0.0.1:${(plain.address() as AddressInfo).port}`), {});
    expect(names(found)).toEqual(['tcp', 'clock', 'service', 'key', 'control']);
  });

  it.each<[string, RequestListener, string, RegExp]>([
    ['a refused key', (_, response) => answer(response, 401, problemOf(401, 'key_refused')), 'KEY_REFUSED', /fingerprint [0-9a-f]{12}/],
    ['a forbidden one', (_, response) => answer(response, 403, problemOf(403, 'scope')), 'KEY_FORBIDDEN', /scope it is/],
    ['a service that takes any key', (_, response) => answer(response, 200, whoami()), 'KEY_CONTROL_ACCEPTED', /any key/],
    [
      'a web page',
      (_, response) => response.setHeader('content-type', 'text/html; charset=utf-8').end('<html>'),
      'SERVICE_UNEXPECTED',
      /a text\/html page came with 200/,
    ],
    ['a 401 of a proxy', (_, response) => response.writeHead(401, { 'content-type': 'text/html' }).end(), 'SERVICE_UNEXPECTED', /proxy/],
    ['407', (_, response) => response.writeHead(407).end(), 'PROXY_AUTH', /user name and password/],
    [
      'a redirection',
      (_, response) => response.writeHead(302, { location: 'https://login.example.com/?t=1' }).end(),
      'SERVICE_UNEXPECTED',
      /login\.example\.com\)/,
    ],
    ['no such route', (_, response) => response.writeHead(404).end(), 'SERVICE_UNEXPECTED', /404/],
    ['an overloaded service', (_, response) => response.writeHead(503).end(), 'SERVICE_BUSY', /503/],
    [
      'one that says when',
      (_, response) => response.writeHead(429, { 'retry-after': '30' }).end(),
      'SERVICE_BUSY',
      /429; it asks to wait for 30 s/,
    ],
    ['another service', (_, response) => answer(response, 200, whoami({ service: 'other' })), 'SERVICE_UNEXPECTED', /another service/],
    [
      'another key taken',
      (_, response) => answer(response, 200, whoami({ fingerprint: '000000000000' })),
      'SERVICE_UNEXPECTED',
      /took the key 000000000000/,
    ],
    ['a reset', (request) => request.socket.destroy(), 'SERVICE_UNREACHABLE', /reset/],
  ])('tells %s apart', async (_, listener, code, text) => {
    const found = await prove(listener);
    expect(found.proof.ok).toBe(false);
    expect(found.proof.steps.some((step) => !step.ok)).toBe(true);
    expect(told(found)).toMatch(new RegExp(`^${code} .*${text.source}`));
  });

  it('reports clocks that differ by more than 5 s, and takes the key all the same', async () => {
    const off = (seconds: number) => prove(service({ time: new Date(Date.now() - seconds * 1_000).toISOString() }));
    const some = await off(60);
    expect(some.problems).toMatchObject([{ code: 'CLOCK_SKEW', severity: 'warning', message: expect.stringContaining('ahead of') }]);
    expect(Math.round(some.proof.skew_seconds ?? 0)).toBe(60);
    const much = await off(-400);
    expect(much.problems).toMatchObject([{ code: 'CLOCK_SKEW', severity: 'warning', message: expect.stringContaining('behind') }]);
    expect(much.proof.ok).toBe(true);
  });

  it('names a service that speaks HTTP/2 alone', async () => {
    const server = createSecureServer({ ...ca.issue(), allowHTTP1: false }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const found = await proveCredential(config(`https://127.0.0.1:${(server.address() as AddressInfo).port}`), {});
    expect(told(found)).toMatch(/^SERVICE_TLS .*HTTP\/2 alone/);
  });

  it('tells what is wrong with a certificate', async () => {
    const day = 86_400_000;
    const cases = [
      [ca.issue(undefined, Date.now() - 500 * day), {}, 'expired on'],
      [ca.issue(undefined, Date.now() + 5 * day), {}, 'valid only from'],
      [ca.issue(['other.example.com']), {}, 'another host: DNS:other.example.com'],
      [stranger.issue(), {}, 'not trusted here: test authority'],
      [ca.issue(), { tls: {} }, 'not trusted here'],
    ] as const;
    for (const [pair, over, text] of cases) {
      const { endpoint } = await serve(pair, service());
      const found = await proveCredential(config(endpoint, over), {});
      expect(names(found)).toEqual(['tcp', '!tls']);
      expect(told(found)).toMatch(/^SERVICE_TLS /);
      expect(told(found)).toContain(text);
    }
  });

  it('tells when nobody listens, when TLS is not spoken, and when a name is unknown', async () => {
    const plain = net
      .createServer(
        (socket) =>
          void socket
            .on('error', () => {})
            .resume()
            .end('hello, this is no TLS at all\r\n'),
      )
      .listen(0, '127.0.0.1');
    await new Promise((resolve) => plain.once('listening', resolve));
    const { port } = plain.address() as AddressInfo;
    expect(told(await proveCredential(config(`https://127.0.0.1:${port}`), {}))).toMatch(/^SERVICE_TLS .*(does not speak TLS|reset)/);
    await new Promise((resolve) => plain.close(resolve));
    expect(told(await proveCredential(config(`https://127.0.0.1:${port}`), {}))).toMatch(/^SERVICE_UNREACHABLE .*refused/);
    const unknown = await proveCredential(config('https://nobody.invalid'), {});
    expect(names(unknown)).toEqual(['!dns']);
  });

  it('signs tokens for an organisation credential, and has one of a foreign key refused', async () => {
    const rsa = freshRsa();
    const print = fingerprintOf({ 'api.private_key': rsa.text });
    const { endpoint } = await serve(ca.issue(), (request, response) => {
      const [header = '', claims = '', signature = ''] = (request.headers.authorization ?? '').replace('Bearer ', '').split('.');
      const good = verify('sha256', Buffer.from(`${header}.${claims}`), rsa.publicKey, Buffer.from(signature, 'base64url'));
      return good ? answer(response, 200, whoami({ fingerprint: print })) : answer(response, 401, problemOf(401, 'key_refused'));
    });
    const signed = configSchema.parse({ api: { endpoint, private_key: rsa.text, credential_id: 'c' }, tls: { ca_file: ca.file } });
    expect((await proveCredential(signed, {})).problems).toEqual([]);
  });

  it('goes through a proxy with its password, and tells when that refuses', async () => {
    const { endpoint, port } = await serve(ca.issue(), service());
    const seen: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, socket, head) => {
      seen.push(request.url ?? '');
      if (request.headers['proxy-authorization'] !== `Basic ${Buffer.from('u:p').toString('base64')}`)
        return void socket.end('HTTP/1.1 407 Authentication\r\n\r\n');
      const out = net.connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n');
        out.write(head);
        out.pipe(socket).pipe(out);
      });
      out.on('error', () => socket.destroy());
      socket.on('error', () => out.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const at = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const found = await proveCredential(config(endpoint, { proxy: `http://u:p@${at}` }), {});
    expect(found.problems).toEqual([]);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    const refused = await proveCredential(config(endpoint), { https_proxy: `http://u:wrong@${at}` });
    expect(told(refused)).toMatch(/^PROXY_AUTH .*407/);
    expect(JSON.stringify(refused)).not.toContain('wrong');
  });
});

describe('proxyFor', () => {
  it.each([
    ['https://a.example.com', '', true],
    ['https://a.example.com', 'example.com', false],
    ['https://a.example.com', '.example.com, x', false],
    ['https://a.example.com:8443', 'a.example.com:443', true],
    ['https://anexample.com', 'example.com', true],
    ['https://127.0.0.1:8443', '127.0.0.1,localhost', false],
    ['https://[::1]:8443', '::1', false],
    ['https://a', '*', false],
  ])('for %s with no_proxy=%j: %s', (endpoint, no_proxy, used) => {
    expect(proxyFor(new URL(endpoint), undefined, { https_proxy: 'http://p:1', no_proxy }) !== undefined).toBe(used);
  });
});
