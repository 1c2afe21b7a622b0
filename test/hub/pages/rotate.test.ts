import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addServer, hashKey, type Registry, showServer } from '../../../src/hub/servers.ts';
import type { Policy } from '../../../src/hub/store/store.ts';
import { FakeHost, fillServer, incoming } from '../../pages/fleet-data.ts';
import { PlainBrowser, secretIn } from './browser.ts';
import { TestHub } from './setup.ts';

let hub: TestHub;
let browser: PlainBrowser;
let registry: Registry;
beforeEach(async () => {
  hub = new TestHub();
  registry = { store: hub.store, now: hub.now, org: 'default' };
  browser = new PlainBrowser(hub, await hub.enter('ada', 'admin'));
});
afterEach(() => hub.close());

const print = (key: string) => hashKey(key).slice(0, 12);
const add = (name: string, policy: Policy) => addServer(registry, name, policy, 86_400_000);
const keys = async (name: string) =>
  (await showServer(registry, name)).keys
    .map((key) => [key.fingerprint, key.slot, key.enabled, key.valid_until])
    .sort((a, b) => String(b[1]).localeCompare(String(a[1])));
const trail = async () => (await hub.store.auditTrail('default', 1, 100)).slice(-1)[0];

describe('rotating on the page', () => {
  it('leaves the old key the window that was chosen, and shows the new one once', async () => {
    const { key: old } = await add('web-1', 'grace');
    const made = await browser.submit('/servers/web-1/rotate', { grace: '2h' });
    const key = secretIn(made.text);
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect([made.status, made.cacheControl]).toEqual([200, 'no-store']);
    expect(made.text).toContain('scout-agent rotate --new-key-stdin');
    expect(made.text).toContain('until <time datetime="2026-01-31T14:00:00.000Z">');
    expect(await keys('web-1')).toEqual([
      [print(old), 'previous', true, '2026-01-31T14:00:00.000Z'],
      [print(key), 'current', true, null],
    ]);
    expect(await trail()).toMatchObject({ actor: 'user:ada', action: 'key.rotate', subject: 'server:web-1' });
    const again = await browser.send('/servers/web-1/rotate', made.sent);
    expect([again.status, secretIn(again.text)]).toEqual([409, '']);
    expect(again.text).toContain('have changed since');
    for (const path of ['/servers/web-1', '/servers/web-1/rotate', '/keys', '/'])
      expect((await browser.open(path)).text).not.toContain(key);
  });

  it('retires the old one at once with a window of nothing', async () => {
    const { key: old } = await add('web-1', 'grace');
    const { text } = await browser.submit('/servers/web-1/rotate', { grace: '0s' });
    expect(text).toContain(`<code>${print(old)}</code> is refused from now on.`);
    expect(await keys('web-1')).toEqual([[print(secretIn(text)), 'current', true, null]]);
  });

  it('refuses a window that is none', async () => {
    await add('web-1', 'grace');
    for (const grace of ['soon', '-1h', '400d']) {
      const { status, text } = await browser.submit('/servers/web-1/rotate', { grace });
      expect([status, secretIn(text)]).toEqual([400, '']);
    }
    expect(await keys('web-1')).toHaveLength(1);
  });

  it('warns that an immediate policy kills the old key, and does so', async () => {
    const { key: old } = await add('web-1', 'immediate');
    const page = await browser.open('/servers/web-1/rotate');
    expect(page.text).toContain('The old key is dead at once.');
    expect(page.text).not.toContain('name="grace"');
    const { text } = await browser.submit('/servers/web-1/rotate');
    expect((await keys('web-1')).map(([which]) => which)).toEqual([print(secretIn(text))]);
    expect((await hub.store.endedKey(hashKey(old)))?.how).toBe('replaced');
    expect((await browser.open('/servers/web-1')).text).toContain('1 ended key');
  });

  it('says which key the latest heartbeat came with, until the new one is in use', async () => {
    const { key: old, host } = await fillServer(hub, 'web-1', { from: 60_000 });
    const server = async () => (await browser.open('/servers/web-1')).text;
    expect(await server()).not.toContain('Waiting for the new key');
    const key = secretIn((await browser.submit('/servers/web-1/rotate', { grace: '24h' })).text);
    expect(await server()).toMatch(
      new RegExp(`Waiting for the new key\\..*${print(old)}.*${print(key)}.*The previous one ends in .*data-tick="left">1d<`, 's'),
    );
    hub.time += 10_000;
    const { server: row, key: fresh } = (await hub.store.findKey(hashKey(key)))!;
    await hub.store.accept(row, fresh, [incoming(host.beat(hub.time))], hub.time);
    expect(await server()).toMatch(/New key in use<\/b> since/);
    expect((await browser.open('/servers/web-1/retire')).text).not.toContain('shut out');
    const { to, text } = await browser.submit('/servers/web-1/retire');
    expect(to).toBe('/servers/web-1?done=retired');
    expect(text).toContain('The previous keys are refused from now on.');
    expect((await keys('web-1')).map(([which]) => which)).toEqual([print(key)]);
  });

  it('warns before it retires the key that the agent still uses', async () => {
    await fillServer(hub, 'web-1', { from: 60_000 });
    await browser.submit('/servers/web-1/rotate', { grace: '24h' });
    expect((await browser.open('/servers/web-1/retire')).text).toContain('The latest heartbeat came with it.');
  });

  it('says nothing for good under multi, where old keys stay in use', async () => {
    const { key } = await add('db-1', 'multi');
    const { server, key: row } = (await hub.store.findKey(hashKey(key)))!;
    await hub.store.accept(server, row, [incoming(new FakeHost('db-1').beat(hub.time))], hub.time);
    await browser.submit('/servers/db-1/rotate');
    expect((await browser.open('/servers/db-1')).text).toContain('Waiting for the new key');
    hub.time += 30 * 3_600_000;
    browser = new PlainBrowser(hub, await hub.enter('ada'));
    expect((await browser.open('/servers/db-1')).text).not.toContain('class="rotation');
  });

  it('adds, disables, renames and deletes keys under multi, and guards the last one', async () => {
    const { fingerprint: first } = await add('db-1', 'multi');
    const made = await browser.submit('/servers/db-1/add-key', { name: 'spare' });
    const spare = print(secretIn(made.text));
    expect((await browser.send('/servers/db-1/add-key', { ...made.sent, name: 'other' })).status).toBe(409);
    const page = `/servers/db-1/keys/${spare}`;
    expect((await browser.submit(page, { action: 'disable' })).text).toContain('refused until it is enabled again');
    expect((await browser.submit(page, { action: 'enable' })).text).toContain('let in again');
    expect((await browser.submit(page, { action: 'rename', to: 'second' })).text).toContain('second');
    expect((await browser.submit(page, { action: 'delete' })).text).toContain('deleted, and refused');
    const last = `/servers/db-1/keys/${first}`;
    expect((await browser.open(last)).text).toContain('It is the last key that works.');
    expect((await browser.submit(last, { action: 'disable' })).status).toBe(409);
    expect((await browser.submit(last, { action: 'disable', force: 'yes' })).status).toBe(303);
    expect(await keys('db-1')).toEqual([[first, 'current', false, null]]);
  });
});

describe('servers on the page', () => {
  it('are registered with a key shown once, get another policy, and are removed by their name', async () => {
    const made = await browser.submit('/add-server', { name: 'web-1', policy: 'immediate', grace: '1h' });
    const key = secretIn(made.text);
    expect(await hub.store.findKey(hashKey(key))).toMatchObject({ server: { name: 'web-1', policy: 'immediate' } });
    expect((await browser.send('/add-server', made.sent)).status).toBe(409);
    const page = '/servers/web-1/settings';
    expect((await browser.submit(page, { action: 'policy', policy: 'grace', grace: '30m' })).to).toBe('/servers/web-1?done=server-changed');
    expect(await showServer(registry, 'web-1')).toMatchObject({ policy: 'grace', grace: 1_800 });
    expect((await browser.submit(page, { action: 'remove', name: 'web-2' })).status).toBe(400);
    expect((await browser.submit(page, { action: 'remove', name: 'web-1' })).to).toBe('/?done=server-removed');
    expect(await hub.store.serverByName('default', 'web-1')).toBeUndefined();
  });

  it('show members nothing to change, and take nothing from them', async () => {
    await add('web-1', 'multi');
    const member = new PlainBrowser(hub, await hub.enter('bob'));
    const page = (await member.open('/servers/web-1')).text;
    for (const word of ['rotate', 'settings', 'add-key', 'audit']) expect(page).not.toContain(`/${word}`);
    expect((await member.open('/servers/web-1/rotate')).status).toBe(403);
    const csrf = /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '';
    expect((await member.send('/servers/web-1/rotate', { csrf, standing: '' })).status).toBe(403);
    expect(await keys('web-1')).toHaveLength(1);
  });

  it('keep their words: nothing of the address is shown as a note', async () => {
    expect((await browser.open('/?done=%3Cb%3Eretired')).text).not.toContain('class="note"');
    expect((await browser.open('/?done=constructor')).text).not.toContain('class="note"');
    expect((await browser.open('/?done=retired')).text).toContain('class="note" role="status"');
  });
});
