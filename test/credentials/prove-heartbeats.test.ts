import type { IncomingMessage, RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { proveCredential } from '../../src/credentials/prove.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { freshKey } from '../config/scratch.ts';
import { answer, authority, serve } from '../delivery/tls.ts';

const ca = authority();
const key = freshKey();
const problemOf = (status: number, code = 'word') => ({ type: 'about:blank', title: code, status, detail: `${code} it is`, code });
const accepted = (over: object = {}) => ({
  accepted: 0,
  duplicates: 0,
  fingerprint: fingerprint(key),
  slot: 'current',
  previous_key_valid_until: null,
  ...over,
});

const html: RequestListener = (_, response) => void response.writeHead(404, { 'content-type': 'text/html' }).end('<html>');
const isOurs = (request: IncomingMessage) => request.headers['x-api-key'] === key;

/** A service without whoami that answers heartbeats so; `absent`: how it says that there is no whoami. */
async function prove(heartbeats: RequestListener, absent: RequestListener = html) {
  const { endpoint } = await serve(ca.issue(), (request, response) => {
    request.resume();
    return request.url === '/api/v1/heartbeats' && request.method === 'POST' ? heartbeats(request, response) : absent(request, response);
  });
  const config = configSchema.parse({ api: { endpoint, key, timeout: '5s' }, tls: { ca_file: ca.file } });
  const { proof, problems } = await proveCredential(config, {});
  return { proof, told: problems.map(({ code, message }) => `${code} ${message}`).join('\n') };
}

describe('proveByHeartbeats', () => {
  it.each<[string, RequestListener]>([
    ['a 404 of its own', (_, response) => answer(response, 404, problemOf(404))],
    ['a 404 page', html],
  ])('proves a key where whoami is %s', async (_, absent) => {
    const found = await prove(
      (request, response) => answer(response, isOurs(request) ? 400 : 401, problemOf(isOurs(request) ? 400 : 401)),
      absent,
    );
    expect(found.told).toBe('');
    expect(found.proof).toMatchObject({ ok: true, fingerprint: fingerprint(key) });
    expect(found.proof.service_id).toBeUndefined();
    expect(found.proof.steps.find(({ name }) => name === 'key')?.detail).toContain('no whoami there');
  });

  it('believes a 200 only when it names the key', async () => {
    const say =
      (over: object): RequestListener =>
      (request, response) =>
        isOurs(request) ? answer(response, 200, accepted(over)) : answer(response, 401, problemOf(401));
    expect((await prove(say({}))).proof.ok).toBe(true);
    expect((await prove(say({ fingerprint: '000000000000' }))).told).toMatch(/^SERVICE_UNEXPECTED .*does not name the key/);
  });

  it.each<[string, RequestListener, RegExp]>([
    ['looks at the body before the key', (_, response) => answer(response, 400, problemOf(400)), /^KEY_CONTROL_ACCEPTED/],
    ['takes everything', (_, response) => answer(response, 200, accepted()), /^KEY_CONTROL_ACCEPTED/],
    ['refuses everything', (_, response) => answer(response, 401, problemOf(401)), /^KEY_REFUSED/],
    ['permits nothing', (_, response) => answer(response, 403, problemOf(403)), /^KEY_FORBIDDEN .*word it is/],
    ['is a web server', html, /^SERVICE_UNEXPECTED .*no \/api\/v1\/whoami.*no \/api\/v1\/heartbeats/],
    [
      'is a proxy to strangers',
      (request, response) =>
        isOurs(request)
          ? answer(response, 400, problemOf(400))
          : response.writeHead(401, { 'content-type': 'text/html' }).end('<html>sign in'),
      /^SERVICE_UNEXPECTED .*proxy/,
    ],
    ['is overloaded', (_, response) => answer(response, 429, problemOf(429)), /^SERVICE_BUSY/],
  ])('proves nothing by one that %s', async (_, heartbeats, told) => {
    const found = await prove(heartbeats);
    expect(found.proof.ok).toBe(false);
    expect(found.told).toMatch(told);
    expect(found.proof.steps.at(-1)?.ok).toBe(false);
  });

  it('is not taken in by one that refuses every question but the first, whatever the key', async () => {
    let asked = 0;
    const found = await prove((_, response) =>
      asked++ === 0 ? answer(response, 400, problemOf(400)) : answer(response, 401, problemOf(401)),
    );
    expect(found.proof.ok).toBe(false);
    expect(found.told).toMatch(/^KEY_REFUSED/);
  });
});
