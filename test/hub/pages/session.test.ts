import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ABSOLUTE_MS, COOKIE, IDLE_MS } from '../../../src/hub/people/session.ts';
import { addUser } from '../../../src/hub/people/users.ts';
import { registryOf } from '../helpers.ts';
import { cookieOf, csrfIn, ORIGIN, PASSWORD, TestHub } from './setup.ts';

let hub: TestHub;
beforeEach(() => {
  hub = new TestHub();
});
afterEach(() => hub.close());

describe('signing in', () => {
  it('gives a cookie that scripts, other sites and plain HTTP never see', async () => {
    await addUser(registryOf(hub.store), 'ada', 'member', PASSWORD);
    const answer = await hub.post('/sign-in', { name: 'ada', password: PASSWORD, next: '/servers/a' });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/servers/a');
    const cookie = answer.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(new RegExp(`^${COOKIE}=[\\w-]{43};`));
    for (const part of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']) expect(cookie).toContain(part);
    expect(cookie).not.toContain('Domain');
  });

  it('keeps only the SHA-256 of the cookie', async () => {
    const { cookie } = await hub.signIn();
    const value = cookie.slice(COOKIE.length + 1);
    expect(await hub.store.session(value)).toBeUndefined();
    expect(await hub.store.session(createHash('sha256').update(value).digest('hex'))).toMatchObject({ user: { name: 'ada' } });
  });

  it('answers a wrong password and an unknown name alike', async () => {
    await addUser(registryOf(hub.store), 'ada', 'member', PASSWORD);
    const wrong = await hub.post('/sign-in', { name: 'ada', password: 'not the password' });
    const unknown = await hub.post('/sign-in', { name: 'eve', password: 'not the password' });
    expect([wrong.status, unknown.status]).toEqual([403, 403]);
    expect((await wrong.text()).replaceAll('ada', 'eve')).toBe(await unknown.text());
    expect(wrong.headers.get('set-cookie')).toBeNull();
  });

  it('makes a new session each time and ends the one before', async () => {
    const first = await hub.signIn();
    const answer = await hub.post('/sign-in', { name: 'ada', password: PASSWORD }, first);
    expect(cookieOf(answer)).not.toBe(first.cookie);
    expect((await hub.get('/', first)).status).toBe(303);
    expect((await hub.get('/', { cookie: cookieOf(answer) })).status).toBe(200);
  });

  it.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '/a\r\nSet-Cookie: x=1', '/sign-out'])(
    'goes home rather than to %j',
    async (next) => {
      await addUser(registryOf(hub.store), 'ada', 'member', PASSWORD);
      const answer = await hub.post('/sign-in', { name: 'ada', password: PASSWORD, next });
      expect(answer.headers.get('location')).toBe('/');
    },
  );

  it('sends those who are not signed in to the page and back to where they wanted', async () => {
    const answer = await hub.get('/servers/web%201?range=6h');
    expect(answer.status).toBe(303);
    const location = answer.headers.get('location') ?? '';
    expect(location).toBe('/sign-in?next=%2Fservers%2Fweb%25201%3Frange%3D6h');
    expect(await (await hub.get(location)).text()).toContain('value="/servers/web%201?range=6h"');
  });
});

describe('guessing', () => {
  const guess = (name: string, headers: Record<string, string> = {}) =>
    hub.post('/sign-in', { name, password: 'a guess that is wrong' }, headers);

  it('is slowed down after five failures, and says for how long', async () => {
    await addUser(registryOf(hub.store), 'ada', 'member', PASSWORD);
    for (let i = 0; i < 5; i++) expect((await guess('ada')).status).toBe(403);
    const slowed = await hub.post('/sign-in', { name: 'ada', password: PASSWORD });
    expect(slowed.status).toBe(429);
    expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(slowed.headers.get('set-cookie')).toBeNull();
    hub.time += 2_000;
    expect((await hub.post('/sign-in', { name: 'ada', password: PASSWORD })).status).toBe(303);
  });

  it('locks nobody else out', async () => {
    await addUser(registryOf(hub.store), 'bob', 'member', PASSWORD);
    for (let i = 0; i < 6; i++) await guess('ada');
    expect((await hub.post('/sign-in', { name: 'bob', password: PASSWORD })).status).toBe(303);
  });

  it('gains nothing by guessing many at once', async () => {
    await addUser(registryOf(hub.store), 'ada', 'member', PASSWORD);
    const answers = await Promise.all(Array.from({ length: 12 }, () => guess('ada')));
    expect(answers.filter((answer) => answer.status === 403)).toHaveLength(5);
  });
});

describe('a session', () => {
  it('ends when it lay idle for 12 hours', async () => {
    const session = await hub.signIn();
    hub.time += IDLE_MS - 1;
    expect((await hub.get('/', session)).status).toBe(200);
    hub.time += IDLE_MS - 1;
    expect((await hub.get('/', session)).status).toBe(200);
    hub.time += IDLE_MS + 1;
    expect((await hub.get('/', session)).status).toBe(303);
  });

  it('is not kept awake by a page that refreshes itself', async () => {
    const session = await hub.signIn();
    const refresh = { ...session, 'sec-fetch-mode': 'cors', 'x-scout-fragment': '1' };
    hub.time += IDLE_MS - 1;
    expect((await hub.get('/', refresh)).status).toBe(200);
    hub.time += 2;
    expect((await hub.get('/', refresh)).status).toBe(401);
  });

  it('ends after seven days at the latest', async () => {
    const session = await hub.signIn();
    for (let at = 0; at < ABSOLUTE_MS; at += IDLE_MS / 2) {
      expect((await hub.get('/', session)).status).toBe(200);
      hub.time += IDLE_MS / 2;
    }
    hub.time += 1;
    expect((await hub.get('/', session)).status).toBe(303);
  });

  it('ends with signing out, on the server too', async () => {
    const session = await hub.signIn();
    const csrf = csrfIn(await (await hub.get('/', session)).text());
    const answer = await hub.post('/sign-out', { csrf }, session);
    expect(answer.headers.get('location')).toBe('/sign-in');
    expect(answer.headers.get('set-cookie')).toContain('Max-Age=0');
    expect((await hub.get('/', session)).status).toBe(303);
  });
});

describe('a form', () => {
  it('needs the token of its own session', async () => {
    const ada = await hub.signIn('ada');
    const bob = await hub.signIn('bob');
    const foreign = csrfIn(await (await hub.get('/', bob)).text());
    for (const csrf of ['', 'x', foreign]) expect((await hub.post('/sign-out', { csrf }, ada)).status).toBe(403);
    expect((await hub.get('/', ada)).status).toBe(200);
  });

  it.each<Record<string, string>>([
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: ORIGIN, 'sec-fetch-site': 'same-site' },
    { origin: 'null', 'sec-fetch-site': 'same-origin' },
    { origin: 'https://hub.example.evil.example', 'sec-fetch-site': 'same-origin' },
  ])('is refused from elsewhere: %j', async (headers) => {
    const session = await hub.signIn();
    const csrf = csrfIn(await (await hub.get('/', session)).text());
    expect((await hub.post('/sign-out', { csrf }, { ...session, ...headers })).status).toBe(403);
    expect((await hub.post('/sign-in', { name: 'ada', password: PASSWORD }, headers)).status).toBe(403);
  });

  it('is refused without any word of where it comes from', async () => {
    await addUser(registryOf(hub.store), 'ada', 'member', PASSWORD);
    const answer = await hub.app.request(`${ORIGIN}/sign-in`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'ada', password: PASSWORD }),
    });
    expect(answer.status).toBe(403);
  });

  it('is refused to people in a page they can read', async () => {
    const session = await hub.signIn();
    const answer = await hub.post('/sign-out', { csrf: 'x' }, { ...session, accept: 'text/html,*/*' });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('content-type')).toContain('text/html');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await answer.text()).toContain('Reload the page and try again.');
  });

  it('has a limit, and a type', async () => {
    expect((await hub.post('/sign-in', { name: 'a'.repeat(20_000), password: '' })).status).toBe(413);
    expect((await hub.post('/sign-in', {}, { 'content-type': 'application/json' })).status).toBe(415);
  });
});
