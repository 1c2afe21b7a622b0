import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashKey } from '../../../src/hub/servers.ts';
import { fillServer, incoming } from '../../pages/fleet-data.ts';
import { TestHub } from './setup.ts';

const HOUR = 3_600_000;
const EVIL = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;`;

let hub: TestHub;
let session: { cookie: string };
beforeEach(async () => {
  hub = new TestHub();
  session = await hub.enter();
});
afterEach(() => hub.close());

const text = async (path: string, headers: Record<string, string> = {}) => (await hub.get(path, { ...session, ...headers })).text();

interface Series {
  kind: string;
  times: number[];
  series: { attributes: Record<string, unknown>; values: (number | null)[] }[];
}
const series = async (path: string) => (await (await hub.get(path, session)).json()) as Series;

describe('every page', () => {
  it('forbids inline scripts, foreign content and frames', async () => {
    for (const path of ['/sign-in', '/', '/servers/none', '/nothing', '/assets/scout.css', '/api/v1/servers']) {
      const { headers } = await hub.get(path, session);
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(headers.get('referrer-policy')).toBe('same-origin');
    }
  });

  it('asks browsers to stay with HTTPS, but not on a loopback name', async () => {
    expect((await hub.get('/sign-in')).headers.get('strict-transport-security')).toContain('max-age');
    for (const host of ['localhost:8443', '127.0.0.1:8443', '[::1]:8443'])
      expect((await hub.get('/sign-in', { host })).headers.get('strict-transport-security')).toBeNull();
  });

  it('is not kept by caches, its files are', async () => {
    expect((await hub.get('/', session)).headers.get('cache-control')).toBe('no-store');
    const address = /\/assets\/scout\.css\?v=[\w-]+/.exec(await text('/'))?.[0] ?? '';
    const file = await hub.get(address, { 'accept-encoding': 'gzip' });
    expect(file.headers.get('cache-control')).toContain('immutable');
    expect(file.headers.get('content-encoding')).toBe('gzip');
    const again = await hub.get(address, { 'if-none-match': `W/${file.headers.get('etag')}` });
    expect(again.status).toBe(304);
    expect((await hub.get('/assets/scout.css?v=old')).headers.get('cache-control')).toBe('no-cache');
    expect((await hub.get('/assets/..%2Findex.ts')).status).toBe(404);
  });

  it('that is not there is a page for people and a problem for programs', async () => {
    const page = await hub.get('/nothing', { accept: 'text/html,*/*' });
    expect([page.status, page.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
    expect(await page.text()).toContain('<a href="/">To the fleet</a>');
    const problem = await hub.get('/api/v1/nothing', { accept: '*/*' });
    expect([problem.status, problem.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
    expect(await problem.json()).toMatchObject({ code: 'not_found' });
  });

  it('has no inline script, style or handler', async () => {
    await fillServer(hub, 'web-1', { from: HOUR });
    for (const path of ['/sign-in', '/', '/servers/web-1']) {
      const page = await text(path);
      expect(page).not.toMatch(/<script(?![^>]*(src=|type="application\/json"))/);
      expect(page).not.toMatch(/<style|\sstyle=|\son\w+=/);
    }
  });
});

describe('the fleet page', () => {
  it('says how to add the first server, to whoever can', async () => {
    const member = await text('/');
    expect(member).toContain('scout-hub server add NAME');
    expect(member).not.toMatch(/href="\/(tokens|add-server)"/);
    const admin = await (await hub.get('/', { ...(await hub.enter('root', 'admin')), host: 'hub.example:8443' })).text();
    expect(admin).toContain('<pre><code>scout-agent enroll https://hub.example:8443</code></pre>');
    expect(admin).toContain('href="/tokens"');
  });

  it('tells in the title of its window what is wrong, and as things change', async () => {
    await fillServer(hub, 'web-1', { from: 60_000 });
    expect(await text('/')).toContain('<title>Fleet · Scout</title>');
    await fillServer(hub, 'gone', { from: HOUR, until: HOUR / 2 });
    expect(await text('/')).toContain('<title>1 silent · Fleet · Scout</title>');
    expect(await text('/', { 'x-scout-fragment': '1' })).toContain('data-title="1 silent · Fleet"');
    expect(await text('/servers/gone')).toContain('<title>silent · gone · Scout</title>');
  });

  it('shows each server with state, key and counts', async () => {
    const { key } = await fillServer(hub, 'web-1', { from: 60_000 });
    await fillServer(hub, 'gone', { from: HOUR, until: HOUR / 2 });
    await fillServer(hub, 'new');
    const page = await text('/');
    expect(page).toContain(hashKey(key).slice(0, 12));
    expect(page).not.toContain(key);
    expect(page.match(/class="state (\w+)"/g)).toEqual(['class="state silent"', 'class="state never"', 'class="state alive"']);
    expect(page).toContain(
      'for <time datetime="2026-01-31T11:30:00.000Z" title="since 2026-01-31 11:30:00 UTC" data-tick="for">30m</time>',
    );
  });

  it('answers a script with the refreshing part alone', async () => {
    await fillServer(hub, 'web-1');
    const part = await text('/', { 'x-scout-fragment': '1' });
    expect(part).toContain('web-1');
    expect(part).not.toContain('<html');
    expect(part).not.toContain('csrf');
  });

  it('searches and sorts by its address alone', async () => {
    await fillServer(hub, 'web-1', { from: 60_000, hostName: 'alpha' });
    await fillServer(hub, 'db-1', { from: 60_000, hostName: 'beta' });
    expect(await text('/?q=ALPHA')).not.toContain('db-1');
    const sorted = await text('/?sort=name&dir=desc');
    expect(sorted.indexOf('>web-1<')).toBeLessThan(sorted.indexOf('>db-1<'));
    expect(sorted).toContain('aria-sort="descending"');
    expect(await text(`/?q=${encodeURIComponent(EVIL)}`)).not.toContain('<script>alert');
  });
});

describe('the page of a server', () => {
  it('escapes whatever an agent says of itself', async () => {
    const { key, host } = await fillServer(hub, 'web-1', { from: 60_000 });
    const found = await hub.store.findKey(hashKey(key));
    const beat = host.beat(hub.time);
    beat.host.name = EVIL;
    beat.agent.version = EVIL;
    beat.inventory = { [EVIL]: EVIL };
    const filesystem = beat.metrics.find((metric) => metric.name === 'system.filesystem.usage')!;
    filesystem.points.push(['x', EVIL, 'ext4', 'rw', 'used', 1], ['x', EVIL, 'ext4', 'rw', 'free', 1]);
    await hub.store.accept(found!.server, found!.key, [incoming(beat)], hub.time);
    for (const path of ['/', '/servers/web-1']) {
      const page = await text(path);
      expect(page).toContain('&lt;script&gt;');
      expect(page.toLowerCase()).not.toMatch(/<script>|<img|<\/script>&|alert\(1\)<\/script/);
    }
  });

  it('says of a server that is silent what to look at, by what is known', async () => {
    await fillServer(hub, 'web-1', { from: HOUR });
    await fillServer(hub, 'gone', { from: HOUR, until: HOUR / 2 });
    await fillServer(hub, 'new');
    for (const name of ['web-1', 'new']) expect(await text(`/servers/${name}`), name).not.toContain('class="trouble"');
    const silent = await text('/servers/gone');
    expect(silent).toMatch(/Nothing has come in for <time[^>]*>30m<\/time><\/b>, since <time [^>]*>2026-01-31 11:30:00 UTC</);
    expect(silent).toContain('systemctl status scout-agent\nscout-agent doctor');
    for (const name of ['web-1', 'gone', 'new'])
      await hub.store.refuse((await hub.store.serverByName('default', name))!.id, 401, 1, hub.time - 60_000);
    expect(await text('/servers/gone')).toMatch(/Nothing has come in for .*its agent runs and reaches this hub.*rotate --new-key-stdin/s);
    expect(await text('/servers/new')).toMatch(/class="trouble"><p><b>Refused .*its agent runs and reaches this hub/);
    expect(await text('/servers/web-1')).toContain('such as a copy of the host');
    hub.time += HOUR;
    expect(await text('/servers/new')).not.toContain('class="trouble"');
  });

  it('leads from a range without measurements to one that has some', async () => {
    await fillServer(hub, 'gone', { from: 30 * HOUR, until: 25 * HOUR, interval: 600 });
    expect(await text('/servers/gone')).toContain('within the <a href="?range=7d" data-soft>last 7 days</a>');
    hub.time += 40 * 24 * HOUR;
    const later = await (await hub.get('/servers/gone', await hub.enter('bob'))).text();
    expect(later).toMatch(/No measurements were received in the last hour\.<\/p>/);
  });

  it('shows facts, key, delivery with gaps, refusals and the figures of each chart', async () => {
    await fillServer(hub, 'web-1', { from: HOUR, lost: [5, 7, 8] });
    const id = (await hub.store.serverByName('default', 'web-1'))!.id;
    await hub.store.refuse(id, 401, 3, hub.time);
    const page = await text('/servers/web-1');
    for (const title of ['Processor', 'Load average', 'Memory', 'Pressure', 'Disks', 'Network', 'File systems'])
      expect(page).toContain(`<h3>${title}</h3>`);
    expect(page).toContain('(5, 7–8)');
    expect(page).toContain('key refused');
    expect(page).toContain('AMD EPYC 7543P');
    expect(page).toContain('/var/lib/postgresql');
  });

  it('shows the ten newest instances of an agent that begins anew each time', async () => {
    const { key, host } = await fillServer(hub, 'web-1', { from: 60_000 });
    const found = await hub.store.findKey(hashKey(key));
    const ids = Array.from({ length: 12 }, () => crypto.randomUUID());
    for (const instance of ids)
      await hub.store.accept(found!.server, found!.key, [incoming({ ...host.beat(hub.time), instance })], hub.time);
    const page = await text('/servers/web-1');
    expect(page).toContain('and 3 earlier');
    expect(ids.map((id) => page.includes(id))).toEqual([false, false, ...Array(10).fill(true)]);
  });

  it('tells when the latest heartbeat was sampled, where that was not when it came', async () => {
    const { key, host } = await fillServer(hub, 'web-1', { from: 60_000 });
    expect(await text('/servers/web-1')).not.toContain('Sampled');
    const found = await hub.store.findKey(hashKey(key));
    for (const [time, said] of [
      [hub.time + 2 * HOUR, 'in 2h'],
      [hub.time - HOUR, '1h ago'],
      [Number.MAX_SAFE_INTEGER, 'in '],
    ] as const) {
      await hub.store.accept(found!.server, found!.key, [incoming({ ...host.beat(hub.time), time })], hub.time);
      expect(/<dt>Sampled<\/dt><dd><time[^>]*>([^<]*)</.exec(await text('/servers/web-1'))?.[1]).toContain(said);
    }
  });

  it('says what to do before the first heartbeat', async () => {
    await fillServer(hub, 'new');
    expect(await text('/servers/new')).toContain('scout-agent --check-config --online');
  });

  it('does not know a server that is not there', async () => {
    expect((await hub.get('/servers/none', session)).status).toBe(404);
    expect((await hub.get('/servers/none?range=constructor', session)).status).toBe(404);
  });
});

describe('the API for people', () => {
  it('is closed to those without a session', async () => {
    for (const path of ['/api/v1/servers', '/api/v1/servers/a', '/api/v1/servers/a/series?metric=x']) {
      const answer = await hub.get(path);
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ code: 'key_missing', status: 401 });
    }
  });

  it('lists and shows servers as the command does', async () => {
    await fillServer(hub, 'web-1', { from: 60_000 });
    expect(await (await hub.get('/api/v1/servers', session)).json()).toMatchObject([{ name: 'web-1', state: 'alive', accepted: 7 }]);
    expect(await (await hub.get('/api/v1/servers/web-1', session)).json()).toMatchObject({
      name: 'web-1',
      instances: [{ last_sequence: 7, gaps: [] }],
    });
    expect((await hub.get('/api/v1/servers/none', session)).status).toBe(404);
  });

  it('gives the series of a metric', async () => {
    await fillServer(hub, 'web-1', { from: HOUR });
    const cpu = await series('/api/v1/servers/web-1/series?metric=system.cpu.time');
    expect(cpu).toMatchObject({ kind: 'rate', unit: 's/s', metric: 'system.cpu.time' });
    expect(cpu.times.length).toBeGreaterThan(350);
    expect(cpu.times.length).toBeLessThanOrEqual(500);
    const idle = cpu.series.find((one) => one.attributes['cpu.mode'] === 'idle');
    expect(Math.max(...idle!.values.map(Number))).toBeLessThanOrEqual(1.01);
    const load = await series('/api/v1/servers/web-1/series?metric=scout.load&from=2026-01-31T11:50:00Z');
    expect(load).toMatchObject({ kind: 'value', from: '2026-01-31T11:50:00.000Z' });
    expect(load.times).toHaveLength(60);
  });

  it('refuses a query it does not understand', async () => {
    await fillServer(hub, 'web-1');
    for (const query of ['', '?metric=a&from=yesterday', '?metric=a&from=10&to=5', '?metric=a&from=0'])
      expect((await hub.get(`/api/v1/servers/web-1/series${query}`, session)).status).toBe(400);
    expect((await hub.get('/api/v1/servers/none/series?metric=a', session)).status).toBe(404);
  });
});
