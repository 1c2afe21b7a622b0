import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addCredential } from '../../../src/hub/credentials/credentials.ts';
import { keyUseOf } from '../../../src/hub/http/gate.ts';
import { rotateKey } from '../../../src/hub/keys/changes.ts';
import { addUser } from '../../../src/hub/people/users.ts';
import { addServer, hashKey } from '../../../src/hub/servers.ts';
import { fillServer, incoming } from '../../pages/fleet-data.ts';
import { PASSWORD, TestHub } from './setup.ts';

let hub: TestHub;
let session: { cookie: string };
const streams: Listener[] = [];
beforeEach(async () => {
  hub = new TestHub();
  session = await hub.enter();
});
afterEach(async () => {
  for (const one of streams.splice(0)) await one.close();
  await hub.close();
});

/** Reads a stream of events as a browser does. */
class Listener {
  readonly answer: Response;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = '';

  constructor(answer: Response) {
    this.answer = answer;
    this.#reader = answer.body!.getReader();
  }

  /** The next event; undefined at the end. */
  async next(): Promise<{ event: string; data: string } | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const event = /^event: (.*)$/m.exec(block)?.[1];
        if (event !== undefined) return { event, data: /^data: (.*)$/m.exec(block)?.[1] ?? '' };
        continue;
      }
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#text += Buffer.from(value).toString();
    }
  }

  close = (): Promise<void> => this.#reader.cancel();
}

async function listen(query = 'view=fleet', who = session): Promise<Listener> {
  const listener = new Listener(await hub.get(`/events?${query}`, who));
  streams.push(listener);
  return listener;
}

async function beat(name: string, key: string, host: Awaited<ReturnType<typeof fillServer>>['host']): Promise<void> {
  hub.time += 10_000;
  const found = await hub.store.findKey(hashKey(key));
  expect(found?.server.name).toBe(name);
  await hub.store.accept(found!.server, found!.key, [incoming(host.beat(hub.time))], hub.time);
}

describe('live updates', () => {
  it('are for people who are signed in', async () => {
    const answer = await hub.get('/events?view=fleet');
    expect([answer.status, answer.headers.get('content-type')]).toEqual([401, 'application/problem+json']);
  });

  it('bring the pieces of the fleet that changed, and nothing where only time went by', async () => {
    const { key, host } = await fillServer(hub, 'web-1', { from: 60_000 });
    await fillServer(hub, 'web-2', { from: 60_000 });
    const page = await listen();
    expect(page.answer.headers.get('content-type')).toBe('text/event-stream');
    const first = JSON.parse((await page.next())?.data ?? '{}');
    expect(Object.keys(first)).toHaveLength(3);
    await beat('web-1', key, host);
    const next = await page.next();
    expect(next?.event).toBe('patch');
    const pieces = JSON.parse(next?.data ?? '{}');
    expect(Object.keys(pieces)).toHaveLength(1);
    expect(Object.values(pieces)[0]).toContain('web-1');
  });

  it('ask for the page anew when servers come or go', async () => {
    await fillServer(hub, 'web-1', { from: 60_000 });
    const page = await listen();
    await page.next();
    await fillServer(hub, 'web-2', { from: 60_000 });
    expect(await page.next()).toMatchObject({ event: 'fresh' });
  });

  it('tell a server\u2019s page at once of its keys, whatever the range', async () => {
    await fillServer(hub, 'web-1', { from: 60_000 });
    const text = await (await hub.get('/servers/web-1', session)).text();
    const mark = /<data id="mark" value="([^"]+)"/.exec(text)?.[1] ?? '';
    const page = await listen(`view=server&name=web-1&range=30d&mark=${mark}`);
    await rotateKey({ store: hub.store, now: hub.now, org: 'default' }, 'web-1');
    expect(await page.next()).toMatchObject({ event: 'fresh' });
  });

  it('tell a server\u2019s page that nothing comes in any more, that its old key ended, and that a refusal is long ago', async () => {
    await fillServer(hub, 'web-1', { from: 60_000 });
    const registry = { store: hub.store, now: hub.now, org: 'default' };
    await rotateKey(registry, 'web-1', { graceMs: 300_000 });
    const page = async () => (await hub.get('/servers/web-1', session)).text();
    const mark = /<data id="mark" value="([^"]+)"/.exec(await page())?.[1] ?? '';
    const stream = await listen(`view=server&name=web-1&range=30d&mark=${mark}`);
    for (const [after, said] of [
      [30_000, 'class="state late"'],
      [80_000, 'class="state silent"'],
      [200_000, '<span class="tag plain">over</span>'],
    ] as const) {
      hub.time += after;
      expect(await stream.next(), said).toMatchObject({ event: 'fresh' });
      expect(await page()).toContain(said);
    }
    const { id } = (await hub.store.serverByName('default', 'web-1'))!;
    await hub.store.refuse(id, 401, 1, hub.time);
    expect(await stream.next()).toMatchObject({ event: 'fresh' });
    expect(await page()).toContain('<b>Refused ');
    hub.time += 21 * 60_000;
    expect(await stream.next()).toMatchObject({ event: 'fresh' });
    expect(await page()).not.toContain('<b>Refused ');
  });

  it('tell a server\u2019s page of heartbeats as often as a chart has a new point', async () => {
    const { key, host } = await fillServer(hub, 'web-1', { from: 60_000 });
    await beat('web-1', key, host);
    const mark = async () => /<data id="mark" value="([^"]+)"/.exec(await (await hub.get('/servers/web-1', session)).text())?.[1] ?? '';
    const other = await fillServer(hub, 'web-2', { from: 60_000 });
    const watch = await listen('view=fleet');
    await watch.next();
    const [hour, month] = [
      await listen(`view=server&name=web-1&range=1h&mark=${await mark()}`),
      await listen(`view=server&name=web-1&range=30d&mark=${await mark()}`),
    ];
    const [told, ended] = [hour.next(), month.next()];
    // Another server's page is told at the same look as these.
    await beat('web-2', other.key, other.host);
    await watch.next();
    await beat('web-1', key, host);
    expect(await told).toMatchObject({ event: 'fresh' });
    hub.stop();
    expect(await ended).toBeUndefined();
  });

  it('tell the credentials\u2019 page which servers report with which', async () => {
    const registry = { store: hub.store, now: hub.now, org: 'default' };
    const { host, key } = await fillServer(hub, 'web-1', { from: 60_000 });
    await addCredential(registry, { name: 'ci', key: 'api-key', role: 'member' });
    const [credential] = await hub.store.credentials('default');
    const row = async () => (await (await hub.get('/credentials', { ...session, 'x-scout-fragment': '1' })).text()).replace(/\s+/g, ' ');
    const page = await listen('view=credentials');
    expect(await page.next()).toMatchObject({ event: 'fresh' });
    expect(await row()).not.toContain('/?q=');
    hub.time += 10_000;
    const { server } = (await hub.store.findKey(hashKey(key)))!;
    await hub.store.accept(server, keyUseOf({ kind: 'credential', credential: credential! }), [incoming(host.beat(hub.time))], hub.time);
    expect(await page.next()).toMatchObject({ event: 'fresh' });
    expect(await row()).toMatch(/href="\/\?q=[0-9a-f]{12}">1<\/a>/);
    const admin = await hub.enter('root', 'admin');
    const one = await (await hub.get(`/credentials/${credential!.id}`, admin)).text();
    expect(one).toMatch(/latest heartbeat of 1 server came with it: <a href="\/servers\/web-1">/);
  });

  it('show nothing of another organisation, and tell nothing of what happens there', async () => {
    const ours = { store: hub.store, now: hub.now, org: 'default' };
    const theirs = { ...ours, org: 'acme' };
    await hub.store.addOrganisation({ id: 'acme', name: 'acme', createdAt: 1 });
    await addUser(theirs, 'eve', 'admin', PASSWORD);
    const { key, host } = await fillServer(hub, 'web-1', { from: 60_000 });
    const eve = await hub.enter('eve');
    const heard: string[] = [];
    // Their fleet, searched as well; a server by the name of ours; their credentials.
    const queries = ['view=fleet', 'view=fleet&q=web', 'view=server&name=web-1', 'view=credentials'];
    const streams = await Promise.all(queries.map((query) => listen(query, eve)));
    const next = async (one: Listener) => {
      const told = await one.next();
      heard.push(told?.data ?? '');
      return told;
    };
    for (const one of streams) expect((await next(one))?.event).toMatch(/^(patch|fresh)$/);

    // Everything of ours changes.
    const witness = await listen('view=fleet');
    await witness.next();
    await beat('web-1', key, host);
    await rotateKey(ours, 'web-1');
    await addCredential(ours, { name: 'ci', key: 'api-key', role: 'member' });
    await witness.next();
    // Then something of theirs: it is the first that they hear of.
    await addCredential(theirs, { name: 'their-own', key: 'api-key', role: 'member' });
    await addServer(theirs, 'web-1', 'grace', 0);
    for (const one of streams) expect(await next(one)).toEqual({ event: 'fresh', data: '' });
    for (const text of [hashKey(key).slice(0, 12), host.instance, 'row-', '<b>1</b>']) expect(heard.join('\n')).not.toContain(text);
    expect(heard.filter((data) => data.includes('count-alive'))).toHaveLength(2);
  });

  it('end with the session', async () => {
    const page = await listen();
    await page.next();
    await hub.store.removeSessions((await hub.store.userByName('ada'))!.id);
    expect(await page.next()).toMatchObject({ event: 'ended' });
    expect(await page.next()).toBeUndefined();
  });

  it('are four a session at most, and make room again', async () => {
    const four = [await listen(), await listen(), await listen(), await listen()];
    const fifth = await hub.get('/events?view=fleet', session);
    expect([fifth.status, fifth.headers.get('retry-after')]).toEqual([429, '30']);
    await four[0]!.close();
    expect((await listen()).answer.status).toBe(200);
  });

  it('end when the hub stops', async () => {
    const page = await listen();
    await page.next();
    hub.stop();
    expect(await page.next()).toBeUndefined();
  });
});
