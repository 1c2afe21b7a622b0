import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createToken, listTokens, revokeToken } from '../../../src/hub/enrol/tokens.ts';
import { addServer, listKeys, removeServer } from '../../../src/hub/servers.ts';
import type { Policy } from '../../../src/hub/store/store.ts';
import { authorityPrint } from '../../../src/hub/tls/own.ts';
import { enrolledSchema } from '../../../src/protocol/enroll.ts';
import { faultOf } from '../../../src/support/chain.ts';
import { type Answer, problemOf, TestHub } from '../helpers.ts';

const HOUR = 3_600_000;
let hub: TestHub;
let now: number;
beforeEach(async () => {
  hub = await new TestHub().start();
  now = Date.now();
  hub.serving.hub.now = () => now;
});
afterEach(() => hub.close());

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const newKey = () => randomBytes(32).toString('hex');
const token = async (server: string, policy: Policy = 'grace', lifeMs = HOUR) =>
  (await createToken(hub.registry, { server, policy, graceMs: 24 * HOUR, lifeMs, authority: null })).token;
const send = (body: unknown) =>
  hub.call('/api/v1/enroll', {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    key: null,
    headers: { 'content-type': 'application/json' },
  });
const enroll = (text: string, key: string, host = 'host-1') => send({ token: text, sha256: sha256(key), host_name: host });
const whoami = async (key: string) => (await hub.call('/api/v1/whoami', { key })).status;
function ok(answer: Answer) {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.headers['cache-control']).toBe('no-store');
  return enrolledSchema.strict().parse(JSON.parse(answer.text));
}
function refused(answer: Answer, status: number, code: string, detail = ''): void {
  expect(answer.status, answer.text).toBe(status);
  expect(problemOf(answer)).toMatchObject({ code, detail: expect.stringContaining(detail) });
}

describe('enroll', () => {
  it('registers a server with the key that the host made, once, with its line', async () => {
    const [text, key] = [await token('new-1', 'immediate'), newKey()];
    const answer = ok(await enroll(text, key));
    expect(answer).toMatchObject({
      name: 'new-1',
      policy: 'immediate',
      fingerprint: sha256(key).slice(0, 12),
      service_id: hub.serving.hub.serviceId,
    });
    expect(await whoami(key)).toBe(200);
    refused(await enroll(text, newKey()), 403, 'token_refused', sha256(key).slice(0, 12));
    const lines = await hub.serving.hub.store.auditTrail('default', 1, 99);
    for (const [index, line] of lines.entries()) expect(faultOf(line, lines[index - 1] ?? null)).toBeUndefined();
    expect(lines.at(-1)).toMatchObject({
      action: 'server.enroll',
      actor: expect.stringMatching(/^token:[0-9a-f]{12}$/),
      subject: 'server:new-1',
      detail: { host: 'host-1', key: sha256(key).slice(0, 12), registered: 'policy immediate' },
      address: expect.stringContaining('127.0.0.1'),
    });
    expect(JSON.stringify(lines)).not.toContain(text.slice(8, 40));
    expect(await listTokens(hub.registry)).toMatchObject([{ server: 'new-1', state: 'used', used_for: sha256(key).slice(0, 12) }]);
  });

  it('answers the same token and key alike for as long as the token is good, and changes nothing', async () => {
    const [text, key] = [await token('new-1'), newKey()];
    const first = ok(await enroll(text, key));
    now += HOUR - 1;
    expect(ok(await enroll(text, key))).toEqual(first);
    expect(await listKeys(hub.registry, 'new-1')).toHaveLength(1);
    now += 1;
    refused(await enroll(text, key), 403, 'token_refused', 'expired at');
    expect(await whoami(key)).toBe(200);
  });

  it('takes the same request twice at once', async () => {
    const [text, key] = [await token('new-1'), newKey()];
    const answers = await Promise.all([1, 2, 3, 4].map(() => enroll(text, key)));
    expect(new Set(answers.map((answer) => ok(answer).server_id)).size).toBe(1);
    const [other, keys] = [await token('new-2'), [newKey(), newKey(), newKey()]];
    const raced = await Promise.all(keys.map((one) => enroll(other, one)));
    expect(raced.map(({ status }) => status).sort()).toEqual([200, 403, 403]);
  });

  it.each([
    ['immediate', [401, 200]],
    ['grace', [200, 200]],
    ['multi', [200, 200]],
  ] as const)('brings the key into a server that there is, as its own policy says: %s', async (policy, expected) => {
    const old = (await addServer(hub.registry, 'there', policy, 24 * HOUR)).key;
    const [text, key] = [await token('there', policy === 'immediate' ? 'multi' : 'immediate'), newKey()];
    expect(ok(await enroll(text, key))).toMatchObject({ policy });
    expect([await whoami(old), await whoami(key)]).toEqual(expected);
  });

  it('refuses what is unknown, revoked, expired, cut, or for a server that was removed', async () => {
    const key = newKey();
    refused(await enroll('enroll1_x', key), 403, 'token_refused', 'not a whole one');
    refused(await enroll(`enroll1_${randomBytes(32).toString('base64url')}`, key), 403, 'token_refused', 'not known');
    const [revoked, late, gone] = [await token('a'), await token('b', 'grace', 1_000), await token('c')];
    const open = (await listTokens(hub.registry)).find(({ server }) => server === 'a');
    await revokeToken(hub.registry, open?.fingerprint ?? '');
    refused(await enroll(revoked, key), 403, 'token_refused', 'not known');
    now += 1_000;
    refused(await enroll(late, key), 403, 'token_refused', 'expired');
    ok(await enroll(gone, key));
    await removeServer(hub.registry, 'c');
    refused(await enroll(gone, key), 403, 'token_refused', 'not known');
  });

  it('refuses a key that is another server\u2019s, or has ended', async () => {
    refused(await enroll(await token('a'), hub.server.key), 409, 'key_exists');
    const [first, second, key] = [await token('a', 'immediate'), await token('a'), newKey()];
    ok(await enroll(first, key));
    ok(await enroll(second, newKey()));
    refused(await enroll(first, key), 409, 'key_exists');
    refused(await enroll(await token('a'), key), 409, 'key_exists');
  });

  it('takes a key that another token brought, whose answer was lost', async () => {
    const key = newKey();
    ok(await enroll(await token('a'), key));
    ok(await enroll(await token('a'), key));
    expect(await listKeys(hub.registry, 'a')).toHaveLength(1);
  });

  it.each([
    ['{', 400, 'bad_request'],
    [{}, 400, 'key_invalid'],
    [{ token: 'x', sha256: 'X'.repeat(64), host_name: 'h' }, 400, 'key_invalid'],
    [{ token: 'x', sha256: '0'.repeat(64), host_name: '' }, 400, 'key_invalid'],
    [{ token: 'x', sha256: '0'.repeat(64), host_name: 'h', more: 1 }, 400, 'key_invalid'],
    [{ token: 'x'.repeat(20_000) }, 413, 'body_too_large'],
  ])('refuses the body %j', async (body, status, code) => {
    refused(await send(body), status, code);
  });

  it('is asked for with POST, and slows down who guesses while good tokens pass', async () => {
    refused(await hub.call('/api/v1/enroll', { key: null }), 405, 'method_not_allowed');
    const guess = () => enroll(`enroll1_${randomBytes(32).toString('base64url')}`, newKey());
    const answers = await Promise.all(Array.from({ length: 60 }, guess));
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    ok(await enroll(await token('a'), newKey()));
  });
});

describe('the authority', () => {
  it('is published where it is the hub\u2019s own, and the token tells it from another', async () => {
    const answer = await hub.call('/api/v1/authority', { key: null });
    const { certificate } = JSON.parse(answer.text);
    expect(certificate).toBe(hub.ca);
    expect(sha256(new X509Certificate(certificate).raw as unknown as string)).toBe(authorityPrint(hub.folder.path));
    hub.serving.hub.authority = () => undefined;
    refused(await hub.call('/api/v1/authority', { key: null }), 404, 'not_found');
  });
});
