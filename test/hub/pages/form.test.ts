import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addCredential } from '../../../src/hub/credentials/credentials.ts';
import { addKey } from '../../../src/hub/keys/changes.ts';
import { addServer, type Registry } from '../../../src/hub/servers.ts';
import { PlainBrowser } from './browser.ts';
import { TestHub } from './setup.ts';

let hub: TestHub;
let registry: Registry;
let browser: PlainBrowser;
beforeEach(async () => {
  hub = new TestHub();
  registry = { store: hub.store, now: hub.now, org: 'default' };
  browser = new PlainBrowser(hub, await hub.enter('ada', 'admin'));
});
afterEach(() => hub.close());

/** What stands beside a field, and what is in it. */
function fieldIn(text: string, id: string): { wrong: string | undefined; value: string | undefined; marked: boolean } {
  const control = new RegExp(`<(?:input|textarea) id="${id}"[^>]*>`).exec(text)?.[0] ?? '';
  const wrong = new RegExp(`id="${id}-problem" role="alert">([^<]*)<`).exec(text)?.[1];
  const marked = control.includes('aria-invalid="true" autofocus') && control.includes(`aria-describedby="${id}-problem`);
  return { wrong, value: /value="([^"]*)"/.exec(control)?.[1], marked };
}

const chosen = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`name="${name}" value="([^"]*)" checked`, 'g'))].map(([, value]) => value ?? '');

describe('a form that cannot be done', () => {
  beforeEach(async () => {
    await addServer(registry, 'web-1', 'grace', 86_400_000);
    await addServer(registry, 'multi-1', 'multi', 0);
    await addCredential(registry, { name: 'ci', key: 'api-key', role: 'member' });
  });

  it.each<[string, Record<string, string>, string, RegExp, number]>([
    ['/add-server', { name: 'a/b', policy: 'multi', grace: '7d' }, 'name', /^This is not a name for a server\. Use up to 128 letters/, 400],
    ['/add-server', { name: 'web-1', policy: 'immediate', grace: '7d' }, 'name', /^A server named `web-1` exists already\.$/, 409],
    ['/add-server', { name: 'web-2', policy: 'multi', grace: 'soon' }, 'grace', /^A duration is written like 30m/, 400],
    ['/servers/web-1/settings', { action: 'policy', policy: 'multi', grace: '9y' }, 'grace', /^A duration is written like/, 400],
    ['/servers/web-1/settings', { action: 'remove', name: 'web-2' }, 'name', /^To remove a server, type its name/, 400],
    ['/servers/web-1/rotate', { grace: 'later' }, 'grace', /^A duration is written like/, 400],
    ['/servers/multi-1/add-key', { name: 'a b' }, 'name', /^This is not a name for a key\. Use up to 63/, 400],
    ['/credentials', { name: '-', kind: 'api-key', role: 'admin', expires: '90d' }, 'name', /^This is not a name for a credential/, 400],
    ['/credentials', { name: 'x', kind: 'upload', public_key: 'no PEM' }, 'public_key', /is not an RSA public key/, 400],
    ['/credentials', { name: 'x', kind: 'pair', expires: '0s' }, 'expires', /^It would end at once\.$/, 400],
    ['/tokens', { server: '-', expires: '2h', policy: 'multi', grace: '1h' }, 'server', /^This is not a name for a server/, 400],
    ['/tokens', { server: 'web-9', expires: '0s', policy: 'multi', grace: '1h' }, 'expires', /^The token would end at once/, 400],
    ['/users', { name: 'a b', role: 'admin', password: 'long enough it is' }, 'name', /^This is not a name for a user/, 400],
    ['/users', { name: 'ada', role: 'admin', password: 'long enough it is' }, 'name', /^A user named `ada` exists already/, 409],
    ['/users', { name: 'bob', role: 'admin', password: 'short' }, 'password', /^The password has 5 characters; at least 10/, 400],
    ['/account', { action: 'password', old: 'not this one', password: 'long enough it is' }, 'old', /^The old password is wrong\.$/, 400],
  ])('%s with %j says what is wrong beside its field, and keeps the others', async (path, fields, id, said, status) => {
    const answer = await browser.submit(path, fields);
    expect(answer.status).toBe(status);
    const { wrong, marked } = fieldIn(answer.text, id);
    expect(wrong).toMatch(said);
    expect(marked).toBe(true);
    expect(answer.text).toMatch(/<title>Not done: /);
    expect(answer.text.match(/role="alert"/g)).toHaveLength(1);
    expect(answer.text.match(/ autofocus/g)).toHaveLength(1);
    for (const [name, value] of Object.entries(fields)) {
      if (name === 'action') continue;
      if (/^(policy|role|kind)$/.test(name)) expect(chosen(answer.text, name), name).toEqual([value]);
      else if (name === 'public_key') expect(answer.text).toContain(`>${value}</textarea>`);
      else if (/^(password|old)$/.test(name)) expect(answer.text).not.toContain(value);
      else expect(fieldIn(answer.text, name).value, name).toBe(value);
    }
  });

  it('can be sent again once it is corrected, as it stands', async () => {
    const { text } = await browser.submit('/add-server', { name: 'a/b', policy: 'multi', grace: '2h' });
    const again = await browser.send('/add-server', { ...browser.formOf(text, '/add-server'), name: 'web-7' });
    expect(again.text).toContain('Key of web-7');
    expect(await hub.store.serverByName('default', 'web-7')).toMatchObject({ policy: 'multi', graceMs: 7_200_000 });
  });

  it('keeps boxes as they were ticked', async () => {
    const page = await browser.open('/credentials');
    const { 'scope-heartbeats': _, ...form } = browser.formOf(page.text, '/credentials');
    const { text } = await browser.send('/credentials', { ...form, 'scope-admin': 'yes', name: '-', kind: 'pair', role: 'admin' });
    const ticked = ['heartbeats', 'fleet', 'keys', 'admin'].map((scope) => chosen(text, `scope-${scope}`).length);
    expect(ticked).toEqual([0, 1, 1, 1]);
  });

  it('says above it what is wrong with no field, where several stand on a page above the one that was sent', async () => {
    const fingerprint = (await hub.store.keys((await hub.store.serverByName('default', 'multi-1'))!.id))[0]!.hash.slice(0, 12);
    const path = `/servers/multi-1/keys/${fingerprint}`;
    const { status, text } = await browser.submit(path, { action: 'disable' });
    expect(status).toBe(409);
    const forms = text.split('<form ').filter((part) => part.includes(`action="${path}"`));
    const [told] = forms.filter((part) => part.includes('<b>Not done:</b> This is the last key'));
    expect(told).toContain('name="action" value="disable"');
    expect(text.match(/role="alert"/g)).toHaveLength(1);
    await addKey(registry, 'multi-1', 'spare');
    expect((await browser.submit(path, { action: 'rename', to: 'spare' })).text).toContain('has a key named `spare` already');
  });

  it('does not repeat a key that was pasted where something else belongs', async () => {
    const key = randomBytes(32).toString('hex');
    const secrets = [key, ` ${key} `, `-----BEGIN PRIVATE KEY-----\n${key}`, `enroll1_${key}`];
    for (const secret of secrets) {
      const named = await browser.submit('/add-server', { name: secret.slice(0, 128) });
      const pasted = await browser.submit('/credentials', { name: 'x', kind: 'upload', public_key: secret });
      expect([pasted.status, pasted.text.includes(key)], secret.slice(0, 12)).toEqual([400, false]);
      if (!secret.includes('enroll1_') && !secret.includes('BEGIN')) expect([named.status, named.text.includes(key)]).toEqual([400, false]);
    }
  });

  it('of something that is not there says so on a page of its own', async () => {
    const { sent } = await browser.submit('/servers/web-1/rotate', { grace: 'later' });
    const { status, text } = await browser.send('/servers/none/rotate', sent);
    expect([status, text.includes('<h1>Not found</h1>')]).toEqual([404, true]);
  });
});
