import type { RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { createKeyService } from '../../src/rotation/service.ts';
import { freshKey } from '../config/scratch.ts';
import { answer, authority, body, serve } from '../delivery/tls.ts';

const ca = authority();
const problemOf = (status: number, code = 'word') => ({ type: 'about:blank', title: code, status, detail: `${code} it is`, code });
const taken = { fingerprint: '0123456789ab', slot: 'current', previous_key_valid_until: null };

async function service(listener: RequestListener, over: object = {}) {
  const { endpoint } = await serve(ca.issue(), listener);
  const config = configSchema.parse({ api: { endpoint, key: freshKey(), timeout: '5s', ...over }, tls: { ca_file: ca.file } });
  return createKeyService(config, {});
}

describe('createKeyService', () => {
  it('asks as whoever it is told to, not as the configuration says', async () => {
    const seen: unknown[] = [];
    const asked = await service(async (request, response) => {
      const { url, method, headers } = request;
      const { 'x-api-key': key, 'idempotency-key': idempotency, 'content-type': type } = headers;
      seen.push([method, url, key, idempotency, type, JSON.parse((await body(request)).toString())]);
      answer(response, 200, { ...taken, key: freshKey(), replayed: false, retired: true });
    });
    const by = { 'api.key': freshKey() };
    const key = by['api.key'];
    await asked.register(by, { sha256: '0'.repeat(64) });
    await asked.mint(by, 'i'.repeat(36));
    await asked.retire(by, '0123456789ab');
    expect(seen).toEqual([
      ['POST', '/api/v1/keys/register', key, undefined, 'application/json', { sha256: '0'.repeat(64) }],
      ['POST', '/api/v1/keys/mint', key, 'i'.repeat(36), 'application/json', {}],
      ['POST', '/api/v1/keys/retire', key, undefined, 'application/json', { fingerprint: '0123456789ab' }],
    ]);
  });

  it('keeps the path of an endpoint', async () => {
    const { endpoint } = await serve(ca.issue(), (request, response) => answer(response, 409, problemOf(409, request.url ?? '')));
    const config = configSchema.parse({ api: { endpoint: `${endpoint}/scout/`, key: freshKey() }, tls: { ca_file: ca.file } });
    expect(await createKeyService(config, {}).retire({ 'api.key': freshKey() }, '0123456789ab')).toMatchObject({
      code: '/scout/api/v1/keys/retire',
    });
  });

  it.each([404, 405, 409, 422])('is declined by a %i of the service itself only', async (status) => {
    const own = await service((_, response) => answer(response, status, problemOf(status)));
    expect(await own.mint({ 'api.key': freshKey() }, 'i'.repeat(36))).toEqual({
      kind: 'declined',
      status,
      code: 'word',
      detail: 'word it is',
    });
    const page = await service((_, response) => response.writeHead(status, { 'content-type': 'text/html' }).end('<html>'));
    await expect(page.mint({ 'api.key': freshKey() }, 'i'.repeat(36))).rejects.toMatchObject({ code: 'SERVICE_UNEXPECTED' });
  });

  it.each<[number, string, RegExp]>([
    [400, 'SERVICE_UNEXPECTED', /word it is \(400\)/],
    [408, 'SERVICE_BUSY', /408/],
    [429, 'SERVICE_BUSY', /429/],
    [500, 'SERVICE_BUSY', /server error \(500\).*may have been carried out/],
    [502, 'SERVICE_BUSY', /server error \(502\)/],
    [503, 'SERVICE_BUSY', /503/],
  ])('decides nothing by a %i', async (status, code, text) => {
    const asked = await service((_, response) => answer(response, status, problemOf(status)));
    const failed = asked.register({ 'api.key': freshKey() }, { sha256: '0'.repeat(64) });
    await expect(failed).rejects.toMatchObject({ code, message: expect.stringMatching(text) });
  });

  it('does not repeat the key, a long text or a terminal’s control signs that the service says', async () => {
    const key = 'opaque-Key.7Zz';
    const detail = `no ${key}\n\u001b[31m${'very '.repeat(200)}`;
    const asked = await service((_, response) => answer(response, 401, { ...problemOf(401), detail }), { key_format: 'opaque' });
    const found = await asked.retire({ 'api.key': key }, '0123456789ab');
    const said = 'detail' in found ? found.detail : '';
    expect(said).toMatch(/^no \[key\] \[31mvery/);
    expect(said.length).toBeLessThanOrEqual(200);
  });

  it('does not take for a key what can be none, nor another retirement for the one it asked for', async () => {
    const asked = await service((_, response) => answer(response, 200, { ...taken, key: 'two\nlines', replayed: false, retired: true }));
    await expect(asked.mint({ 'api.key': freshKey() }, 'i'.repeat(36))).rejects.toMatchObject({ code: 'SERVICE_UNEXPECTED' });
    await expect(asked.retire({ 'api.key': freshKey() }, 'ba9876543210')).rejects.toThrow(/another key than ba9876543210/);
  });

  it('reads 64 KiB of an answer and no more, and does not wait for ever for one that trickles', async () => {
    const flood = await service((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const pour = () => {
        while (!response.destroyed && response.write(' '.repeat(65_536)));
      };
      response.on('drain', pour).on('error', () => {});
      pour();
    });
    await expect(flood.whoami({ 'api.key': freshKey() })).rejects.toMatchObject({ code: 'SERVICE_UNEXPECTED' });
    const trickle = await service(
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      },
      { timeout: '100ms' },
    );
    await expect(trickle.whoami({ 'api.key': freshKey() })).rejects.toThrow(/did not end in time after \d+ bytes/);
  });

  it('tells TLS that is not trusted', async () => {
    const { endpoint } = await serve(authority().issue(), (_, response) => response.end());
    const config = configSchema.parse({ api: { endpoint, key: freshKey() }, tls: { ca_file: ca.file } });
    await expect(createKeyService(config, {}).whoami({ 'api.key': freshKey() })).rejects.toMatchObject({ code: 'SERVICE_TLS' });
  });
});
