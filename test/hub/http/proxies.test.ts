import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { request } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Proxies } from '../../../src/hub/http/proxies.ts';
import { TestHub } from '../helpers.ts';

const of = (...texts: string[]) => Proxies.parse(texts) as Proxies;
const client = (proxies: Proxies, remoteAddress: string | undefined, told?: string) =>
  proxies.clientOf({ socket: { remoteAddress }, headers: told === undefined ? {} : { 'x-forwarded-for': told } });

describe('the word of a proxy', () => {
  const proxies = of('10.0.0.1', '192.0.2.0/24', 'fd00::/8', 'unix');
  it.each<[string | undefined, string | undefined, string]>([
    ['203.0.113.9', '1.2.3.4', '203.0.113.9'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '1.1.1.1, 203.0.113.9, 192.0.2.77', '203.0.113.9'],
    ['10.0.0.1', '1.1.1.1, nonsense', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.9:5511', '203.0.113.9'],
    ['10.0.0.1', '[2001:db8::7]:5511', '2001:db8::7'],
    ['fd00::5', '2001:db8::7', '2001:db8::7'],
    ['10.0.0.1', '192.0.2.5, 192.0.2.6', '192.0.2.5'],
    [undefined, '203.0.113.9', '203.0.113.9'],
  ])('from %s, with %s, is %s', (socket, told, expected) => expect(client(proxies, socket, told)).toBe(expected));

  it('is that of nobody else, whatever they say', () => {
    fc.assert(
      fc.property(
        fc.ipV4(),
        fc.oneof(
          fc.string(),
          fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string())).map((all) => all.join(', ')),
        ),
        (address, told) => {
          fc.pre(address !== '10.0.0.1');
          expect(client(of('10.0.0.1'), address, told)).toBe(address);
        },
      ),
    );
  });

  it('is asked for by addresses and networks, and nothing else', () => {
    for (const text of ['', 'proxy', '10.0.0.0/33', '::1/129', '10.0.0', '10.0.0.1/', '*'])
      expect(Proxies.parse([text]), text).toBeUndefined();
    expect(of('10.0.0.1').trusts(undefined)).toBe(false);
  });
});

describe('a hub behind a proxy', () => {
  let hub: TestHub;
  beforeEach(() => {
    hub = new TestHub();
  });
  afterEach(() => hub.close());

  it('hears from it, without TLS and from a socket, where requests come from', async () => {
    const path = `${hub.folder.path}/hub.sock`;
    await hub.start({ front: { proxies: of('unix'), plain: { path }, publicOrigin: 'https://scout.example' } });
    expect(hub.serving.hub.publicOrigin).toBe('https://scout.example');
    const ask = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const body = JSON.stringify({ fingerprint: '0'.repeat(12) });
        const sent = request(
          { socketPath: path, path: '/api/v1/keys/retire', method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
          (answer) => {
            answer.resume();
            answer.on('end', () => resolve(answer.statusCode ?? 0));
          },
        );
        sent.on('error', reject);
        sent.end(body);
      });
    const wrong = (from: string) => ask({ 'x-api-key': 'nobody has this', 'x-forwarded-for': from });
    for (let i = 0; i < 50; i++) expect(await wrong('203.0.113.9')).toBe(401);
    expect(await wrong('203.0.113.9')).toBe(429);
    expect(await wrong('203.0.113.10')).toBe(401);
    expect(await ask({ 'x-api-key': hub.server.key, 'x-forwarded-for': '203.0.113.9' })).toBe(200);
    // By HTTPS nobody is a proxy here, and the header means nothing.
    expect((await hub.call('/api/v1/whoami', { key: 'wrong', headers: { 'x-forwarded-for': '203.0.113.9' } })).status).toBe(401);
  });

  it('listens again where a hub that was killed has left its socket, and not where somebody listens', async () => {
    const path = `${hub.folder.path}/left.sock`;
    const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await once(spawn(process.execPath, ['-e', code]), 'close');
    expect(statSync(path).isSocket()).toBe(true);
    const front = { proxies: of('unix'), plain: { path } };
    await hub.start({ front });
    const other = new TestHub();
    await expect(other.start({ front })).rejects.toMatchObject({ code: 'HUB_LISTEN' });
    other.folder.remove();
  });

  it('takes requests without TLS from nobody else', async () => {
    const path = `${hub.folder.path}/second.sock`;
    await hub.start({ front: { proxies: of('192.0.2.1'), plain: { path } } });
    const status = await new Promise((resolve, reject) => {
      request({ socketPath: path, path: '/api/v1/whoami', headers: { 'x-api-key': hub.server.key } }, (answer) =>
        resolve(answer.statusCode),
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });
});
