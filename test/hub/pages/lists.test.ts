import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addCredential } from '../../../src/hub/credentials/credentials.ts';
import { addServer, hashKey, type Registry } from '../../../src/hub/servers.ts';
import { PlainBrowser, secretIn } from './browser.ts';
import { PASSWORD, TestHub } from './setup.ts';

let hub: TestHub;
let browser: PlainBrowser;
let registry: Registry;
beforeEach(async () => {
  hub = new TestHub();
  registry = { store: hub.store, now: hub.now, org: 'default' };
  browser = new PlainBrowser(hub, await hub.enter('ada', 'admin'));
});
afterEach(() => hub.close());

const DAY = 86_400_000;
const only = async () => (await hub.store.credentials('default'))[0]!;

describe('keys of all servers', () => {
  it('stand the oldest first, and are narrowed by their age', async () => {
    const { fingerprint: old } = await addServer(registry, 'old-1', 'grace', DAY);
    hub.time += 40 * DAY;
    const session = await hub.enter('ada');
    browser = new PlainBrowser(hub, session);
    const { fingerprint: young } = await addServer(registry, 'young-1', 'grace', DAY);
    const all = (await browser.open('/keys')).text;
    expect(all.indexOf(old)).toBeLessThan(all.indexOf(young));
    expect(all).toContain('data-tick="for">40d<');
    const older = (await browser.open('/keys?older=30')).text;
    expect([older.includes(old), older.includes(young)]).toEqual([true, false]);
  });
});

describe('credentials', () => {
  const form = { name: 'ci', kind: 'upload', role: 'member', 'scope-heartbeats': 'yes', expires: '' };

  it('are made of a public key that was pasted', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const fields = { ...form, public_key: pem, expires: '30d', 'scope-fleet': '', 'scope-keys': '' };
    const sent = await browser.submit('/credentials', fields);
    expect(sent.to).toBe('/credentials?done=credential-added');
    expect(await only()).toMatchObject({ name: 'ci', role: 'member', scopes: ['heartbeats'], expiresAt: hub.time + 30 * DAY });
    expect((await browser.submit('/credentials', { ...fields, name: 'x', public_key: 'nonsense' })).status).toBe(400);
    expect((await browser.submit('/credentials', { ...fields, name: '' })).status).toBe(400);
  });

  it.each(['pair', 'api-key'])('are made here (%s), with the key shown once', async (kind) => {
    const sent = await browser.submit('/credentials', { ...form, kind });
    const secret = secretIn(sent.text);
    expect(secret.length).toBeGreaterThan(60);
    expect((await browser.send('/credentials', sent.sent)).status).toBe(409);
    expect((await browser.open('/credentials')).text).not.toContain(secret.slice(0, 40));
    if (kind === 'api-key') expect((await only()).kid).toBe(hashKey(secret));
  });

  it('are switched off and on, renamed, and deleted', async () => {
    await addCredential(registry, { name: 'ci', key: 'api-key', role: 'member' });
    const page = `/credentials/${(await only()).id}`;
    expect((await browser.submit(page, { action: 'disable' })).to).toBe('/credentials?done=credential-disabled');
    expect((await only()).enabled).toBe(false);
    expect((await browser.submit(page, { action: 'enable' })).to).toBe('/credentials?done=credential-enabled');
    expect((await browser.submit(page, { action: 'rename', to: 'ci-v2' })).text).toContain('ci-v2');
    expect((await browser.submit(page, { action: 'delete' })).to).toBe('/credentials?done=credential-deleted');
    expect(await hub.store.credentials('default')).toEqual([]);
    expect((await browser.open(page)).status).toBe(404);
  });
});

describe('tokens', () => {
  it('are made once, and revoked', async () => {
    const sent = await browser.submit('/tokens', { server: 'web-9', expires: '2h' });
    expect(secretIn(sent.text)).toMatch(/^enroll1_/);
    expect(sent.text).toContain('scout-agent enroll https://hub.example');
    const again = await browser.send('/tokens', sent.sent);
    expect([again.status, secretIn(again.text)]).toEqual([400, '']);
    const [token] = await hub.store.tokens('default');
    expect(token).toMatchObject({ serverName: 'web-9', expiresAt: hub.time + 2 * 3_600_000 });
    const revoked = await browser.submit('/tokens', { action: 'revoke' });
    expect(revoked.to).toBe('/tokens?done=token-revoked');
    expect(await hub.store.tokens('default')).toEqual([]);
  });
});

describe('people', () => {
  it('are added, given another role and password, signed out, and removed', async () => {
    expect((await browser.submit('/users', { name: 'bob', role: 'member', password: 'short' })).status).toBe(400);
    expect((await browser.submit('/users', { name: 'bob', role: 'member', password: PASSWORD })).to).toBe('/users?done=user-added');
    const bob = await hub.enter('bob');
    const page = '/users/bob';
    expect((await browser.submit(page, { action: 'role', role: 'admin' })).to).toBe('/users?done=user-role');
    expect((await hub.store.userByName('bob'))?.role).toBe('admin');
    expect((await browser.submit(page, { action: 'sign-out' })).to).toBe('/users?done=user-signed-out');
    expect((await hub.get('/', bob)).headers.get('location')).toBe('/sign-in');
    expect((await browser.submit(page, { action: 'password', password: 'another horse battery' })).to).toBe('/users?done=user-password');
    expect((await hub.post('/sign-in', { name: 'bob', password: PASSWORD })).status).toBe(403);
    expect((await browser.submit(page, { action: 'remove' })).to).toBe('/users?done=user-removed');
    expect(await hub.store.userByName('bob')).toBeUndefined();
    expect((await browser.submit('/users/ada', { action: 'role', role: 'member' })).status).toBe(409);
  });

  it('change their own password with the old one, and stay signed in here alone', async () => {
    const other = await hub.enter('ada');
    const wrong = await browser.submit('/account', { action: 'password', old: 'not the password', password: 'another horse battery' });
    expect([wrong.status, wrong.text.includes('The old password is wrong')]).toEqual([400, true]);
    const sent = await browser.submit('/account', { action: 'password', old: PASSWORD, password: 'another horse battery' });
    expect(sent.text).toContain('Your password is changed.');
    expect((await hub.get('/', other)).status).toBe(303);
    expect((await browser.open('/account')).status).toBe(200);
  });

  it('sign out everywhere', async () => {
    const other = await hub.enter('ada');
    expect((await browser.submit('/account', { action: 'sign-out' })).to).toBe('/sign-in');
    expect((await hub.get('/', other)).status).toBe(303);
  });

  it('choose light or dark for their browser', async () => {
    const session = await hub.enter('ada');
    const dark = await hub.get('/', { cookie: `${session.cookie}; __Host-scout-theme=dark` });
    expect(await dark.text()).toContain('<html lang="en" data-theme="dark"');
    const odd = await hub.get('/', { cookie: `${session.cookie}; __Host-scout-theme="><script>` });
    expect(await odd.text()).toContain('<html lang="en" data-now=');
    const page = await (await hub.get('/account', session)).text();
    const csrf = /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '';
    const set = await hub.post('/account', { csrf, action: 'theme', theme: 'dark' }, session);
    expect(set.headers.get('set-cookie')).toMatch(/^__Host-scout-theme=dark; .*HttpOnly; Secure/);
  });
});
