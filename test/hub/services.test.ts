import { execFile } from 'node:child_process';
import { createPrivateKey, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addCredential } from '../../src/hub/credentials/credentials.ts';
import { addUser } from '../../src/hub/people/users.ts';
import { heartbeat, TestHub } from './helpers.ts';

/*
 * The four services from their own side, by the requests that a script would send: the real curl, keys in files and never
 * in its arguments. The agent's side of each is test/rotation/services.test.ts.
 */

interface Heard {
  status: number;
  body: Record<string, unknown> & { code?: string; fingerprint?: string; key?: string };
}

const hub = new TestHub();
let admin = '';
let count = 0;

beforeAll(async () => {
  await hub.start();
  admin = (await addCredential(hub.registry, { name: 'script', key: 'api-key', role: 'admin' })).key ?? '';
});
afterAll(() => hub.close());

/** A file of this test, with what must not stand on a command line; its path. */
function file(text: string): string {
  const path = join(hub.folder.path, `${++count}.txt`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

function curl(path: string, ...args: string[]): Promise<Heard> {
  const all = ['-sS', '--cacert', join(hub.folder.path, 'ca.pem'), '-w', '\n%{http_code}', ...args, `${hub.serving.origin}${path}`];
  return new Promise((resolve, reject) => {
    execFile('curl', all, (error, stdout, stderr) => {
      if (error) return reject(new Error(`curl: ${stderr}`));
      const at = stdout.lastIndexOf('\n');
      const text = stdout.slice(0, at);
      resolve({ status: Number(stdout.slice(at + 1)), body: /^[[{]/.test(text) ? JSON.parse(text) : {} });
    });
  });
}

const header = (text: string) => ['-H', `@${file(text)}`];
const plainKey = (key: string) => header(`X-API-Key: ${key}`);
const bearer = (key: string) => header(`Authorization: Bearer ${key}`);
const json = (body: object) => ['-H', 'Content-Type: application/json', '-d', `@${file(JSON.stringify(body))}`];
const beat = (who: string[], name = 'web-1.example') =>
  curl('/api/v1/heartbeats', ...who, ...json(heartbeat({ host: { name, boot_time: 1 } })));
const managed = (method: string, path: string, body?: object) => curl(path, '-X', method, ...plainKey(admin), ...(body ? json(body) : []));

describe('Server Scout: one key a server, regenerated', () => {
  it('is shown once, and the old one is dead at once', async () => {
    const added = await managed('POST', '/api/v1/servers', { name: 'scout-1', policy: 'immediate' });
    expect(added).toMatchObject({ status: 201, body: { name: 'scout-1', key: expect.stringMatching(/^[0-9a-f]{64}$/) } });
    const key = added.body.key as string;
    expect(await beat(plainKey(key))).toMatchObject({ status: 200, body: { accepted: 1, fingerprint: added.body.fingerprint } });
    const made = await managed('POST', '/api/v1/servers/scout-1/keys/rotate', {});
    expect(made).toMatchObject({ status: 200, body: { slot: 'current', previous_key_valid_until: null } });
    expect(await beat(plainKey(key))).toMatchObject({ status: 401, body: { code: 'key_refused' } });
    expect(await beat(plainKey(made.body.key as string))).toMatchObject({ status: 200, body: { fingerprint: made.body.fingerprint } });
  });

  it('may be made by whoever asks, who then may ask twice', async () => {
    const sha256 = randomBytes(32).toString('hex');
    const once = await managed('POST', '/api/v1/servers', { name: 'scout-2', sha256 });
    expect(once).toMatchObject({ status: 201, body: { fingerprint: sha256.slice(0, 12) } });
    expect(once.body.key).toBeUndefined();
    expect(await managed('POST', '/api/v1/servers', { name: 'scout-2', sha256 })).toMatchObject({ status: 409, body: { code: 'exists' } });
    const next = randomBytes(32).toString('hex');
    const first = await managed('POST', '/api/v1/servers/scout-2/keys/rotate', { sha256: next });
    const again = await managed('POST', '/api/v1/servers/scout-2/keys/rotate', { sha256: next });
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toMatchObject({
      fingerprint: first.body.fingerprint,
      previous_key_valid_until: first.body.previous_key_valid_until,
    });
    expect((await managed('GET', '/api/v1/servers/scout-2/keys')).body).toHaveLength(2);
  });
});

describe('Observer: a new key beside the old one, for a window', () => {
  it('takes both, tells until when, and ends the old one where the window is zero', async () => {
    const { body: added } = await managed('POST', '/api/v1/servers', { name: 'observer', policy: 'grace', grace: 3_600 });
    const { body: made } = await managed('POST', '/api/v1/servers/observer/keys/rotate', {});
    const until = made.previous_key_valid_until as string;
    expect(Date.parse(until)).toBeGreaterThan(hub.registry.now() + 3_000_000);
    for (const [key, slot] of [
      [added.key, 'previous'],
      [made.key, 'current'],
    ] as const)
      expect(await beat(bearer(key as string))).toMatchObject({ status: 200, body: { slot, previous_key_valid_until: until } });
    const { body: third } = await managed('POST', '/api/v1/servers/observer/keys/rotate', { grace: 0 });
    expect(third).toMatchObject({ previous_key_valid_until: null });
    for (const dead of [added.key, made.key]) expect((await beat(bearer(dead as string))).status).toBe(401);
    expect((await beat(bearer(third.key as string))).status).toBe(200);
  });
});

describe('Logstag: a key of the organisation, for many agents', () => {
  it('has NAME-v2 beside it; the old one is refused once it was disabled by hand', async () => {
    const { body: first } = await managed('POST', '/api/v1/credentials', { name: 'logs', role: 'member', make: 'api-key' });
    for (const host of ['log-a', 'log-b']) expect((await beat(plainKey(first.key as string), host)).status).toBe(200);
    const { body: whoami } = await curl('/api/v1/whoami', ...plainKey(first.key as string));
    expect(whoami).toMatchObject({ server: null, credential: { name: 'logs', role: 'member' }, rotation: ['register', 'retire'] });
    const { body: second } = await managed('POST', '/api/v1/credentials', { name: 'logs-v2', role: 'member', make: 'api-key' });
    expect((await beat(plainKey(second.key as string), 'log-a')).status).toBe(200);
    expect((await beat(plainKey(first.key as string), 'log-b')).status).toBe(200);
    expect(await managed('PATCH', '/api/v1/credentials/logs', { enabled: false })).toMatchObject({ status: 200, body: { enabled: false } });
    expect(await beat(plainKey(first.key as string), 'log-b')).toMatchObject({ status: 401, body: { code: 'key_refused' } });
    expect((await beat(plainKey(second.key as string), 'log-b')).status).toBe(200);
    const servers = (await managed('GET', '/api/v1/servers')).body as unknown as { name: string; accepted: number }[];
    expect(servers.filter(({ name }) => name.startsWith('log-')).map(({ name, accepted }) => [name, accepted])).toEqual([
      ['log-a', 2],
      ['log-b', 3],
    ]);
  });
});

describe('Scout: organisation credentials', () => {
  const tokenOf = (id: string, kid: string, key: string) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const iat = Math.floor(Date.now() / 1_000);
    const open = `${part({ alg: 'RS256', typ: 'JWT', kid })}.${part({ iss: 'scout', sub: id, iat, exp: iat + 300 })}`;
    const secret = createPrivateKey({ key: Buffer.from(key, 'base64url'), format: 'der', type: 'pkcs8' });
    return `${open}.${sign('sha256', Buffer.from(open), secret).toString('base64url')}`;
  };

  it('come by the private key or a token; create NAME-v2, switch, verify, disable, delete', async () => {
    const make = async (name: string) => {
      const { status, body } = await managed('POST', '/api/v1/credentials', { name, role: 'member', make: 'key-pair' });
      expect(status).toBe(201);
      return body as { credential_id: string; kid: string; key: string };
    };
    const old = await make('ci');
    expect((await beat(bearer(old.key))).status).toBe(200);
    const next = await make('ci-v2');
    const token = bearer(tokenOf(next.credential_id, next.kid, next.key));
    expect(await beat(token)).toMatchObject({ status: 200, body: { accepted: 1 } });
    const listed = (await managed('GET', '/api/v1/credentials')).body as unknown as { name: string; last_used: string | null }[];
    expect(listed.find(({ name }) => name === 'ci-v2')?.last_used).not.toBeNull();
    await managed('PATCH', '/api/v1/credentials/ci', { enabled: false });
    for (const dead of [bearer(old.key), bearer(tokenOf(old.credential_id, old.kid, old.key))]) expect((await beat(dead)).status).toBe(401);
    expect((await managed('DELETE', '/api/v1/credentials/ci')).status).toBe(204);
    expect((await beat(token)).status).toBe(200);
    // Known, but not permitted; and legacy keys of servers go on working beside them.
    expect(await curl('/api/v1/users', ...token)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await curl('/api/v1/servers', '-X', 'POST', ...token, ...json({ name: 'x' }))).toMatchObject({ status: 403 });
    expect((await beat(plainKey(hub.server.key))).status).toBe(200);
    const { body: verdict } = await managed('GET', '/api/v1/audit/verify');
    expect(verdict).toMatchObject({ ok: true });
  });
});

describe('people', () => {
  it('reach the same endpoints by a session, and change things only with its token', async () => {
    const password = randomBytes(12).toString('hex');
    await addUser(hub.registry, 'ann', 'admin', password);
    const jar = join(hub.folder.path, 'jar');
    const origin = ['-H', `Origin: ${hub.serving.origin}`];
    const form = ['--data-urlencode', 'name=ann', '--data-urlencode', `password@${file(password)}`];
    expect((await curl('/sign-in', '-c', jar, ...origin, ...form)).status).toBe(303);
    const session = await curl('/api/v1/session', '-b', jar);
    expect(session).toMatchObject({ status: 200, body: { name: 'ann', role: 'admin', organisation: 'default' } });
    expect((await curl('/api/v1/servers', '-b', jar)).body).toEqual((await managed('GET', '/api/v1/servers')).body);
    const change = (...more: string[]) => curl('/api/v1/servers', '-X', 'POST', '-b', jar, ...json({ name: 'by-ann' }), ...more);
    expect(await change()).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect((await change(...origin)).status).toBe(403);
    const token = header(`X-CSRF-Token: ${session.body.csrf}`);
    expect((await change(...token, '-H', 'Origin: https://evil.example')).status).toBe(403);
    expect((await change(...token, ...origin)).status).toBe(201);
    // Another password, by the old one: other sessions end, and this one goes on by another cookie.
    const other = join(hub.folder.path, 'other');
    await curl('/sign-in', '-c', other, ...origin, ...form);
    const own = (old: string) => ['-b', jar, '-c', jar, ...token, ...origin, ...json({ old_password: old, password: `${password}-2` })];
    expect(await curl('/api/v1/session/password', ...own('wrong'))).toMatchObject({ status: 403, body: { code: 'password_wrong' } });
    expect((await curl('/api/v1/session/password', ...own(password))).status).toBe(204);
    expect((await curl('/api/v1/session', '-b', other)).status).toBe(401);
    const again = await curl('/api/v1/session', '-b', jar);
    expect(again.status).toBe(200);
    const everywhere = ['-X', 'DELETE', '-b', jar, ...origin, ...header(`X-CSRF-Token: ${again.body.csrf}`)];
    expect((await curl('/api/v1/sessions', ...everywhere)).status).toBe(204);
    expect(await curl('/api/v1/session', '-b', jar)).toMatchObject({ status: 401, body: { code: 'signed_out' } });
  });
});
