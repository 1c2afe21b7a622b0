import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../../src/hub/store/postgres-store.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import type { AuditEntry, Server, ServerKey, Store } from '../../../src/hub/store/store.ts';
import { faultOf } from '../../../src/support/chain.ts';
import { Postgres } from '../../helpers/postgres.ts';
import { freePort } from '../../helpers/programs.ts';
import { tempFolder } from '../helpers.ts';
import { describeStore, hash, incoming, registered } from './store-suite.ts';

let server: Postgres;
beforeAll(async () => {
  server = await Postgres.start();
});
afterAll(() => server.remove());

let url = '';
describeStore(
  'PostgreSQL store',
  async () => {
    url = server.url(server.freshSchema());
    return PostgresStore.open(url);
  },
  async (store) => {
    await store.close();
    return PostgresStore.open(url);
  },
  () => {},
);

const opened: Store[] = [];
/** A store on a fresh schema, and more on the same one; closed after the test. */
async function stores(count: number): Promise<PostgresStore[]> {
  url = server.url(server.freshSchema());
  const made = await Promise.all(Array.from({ length: count }, () => PostgresStore.open(url)));
  opened.push(...made);
  return made;
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
});

/** Plain SQL in the schema of the test that runs. */
async function plain(statement: string): Promise<Record<string, unknown>[]> {
  const { search, href } = new URL(url);
  const schema = new URLSearchParams(search).get('schema') as string;
  const sql = postgres(href.replace(search, ''), { max: 1, onnotice: () => {}, connection: { search_path: schema } });
  try {
    return await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

async function added(store: Store, name = 'a'): Promise<{ server: Server; key: ServerKey }> {
  const made = registered(name);
  await store.addServer(made.server, made.key);
  return made;
}

const entry = (action = 'x'): AuditEntry => ({ org: 'default', at: 1, actor: 'cli:ann', action, subject: 'y', detail: {}, address: null });

describe('several stores on one PostgreSQL database', () => {
  it('make it once, though they open it at once', async () => {
    const all = await stores(5);
    const ids = await Promise.all(all.map((store) => store.serviceId()));
    expect(new Set(ids).size).toBe(1);
    expect(await plain('SELECT count(*)::int AS all, max(version) AS last FROM migrations')).toEqual([{ all: 2, last: 2 }]);
  });

  it('count every heartbeat once, whichever take it, as one SQLite store does', async () => {
    const [one, two] = (await stores(2)) as [PostgresStore, PostgresStore];
    const folder = tempFolder();
    const model = SqliteStore.open(folder.path);
    const made = await added(one);
    await model.addServer(made.server, made.key);
    const batches = fc.array(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(batches, async (rounds) => {
        const id = randomUUID();
        const give = (store: Store, batch: number[]) =>
          store.accept(
            made.server,
            made.key,
            batch.map((sequence) => incoming(id, sequence)),
            5_000,
          );
        // Each batch goes to both at once, as from an agent that asks the other hub when one is slow to answer.
        const raced = await Promise.all(rounds.flatMap((batch) => [give(one, batch), give(two, batch)]));
        for (const batch of [...rounds, ...rounds]) await give(model, batch);
        const [found, wanted] = await Promise.all(
          [two, model].map(async (store) => (await store.instances(made.server.id)).find((seen) => seen.id === id)),
        );
        expect(found).toEqual(wanted);
        expect(raced.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(new Set(rounds.flat()).size);
      }),
      { numRuns: 8 },
    );
    await model.close();
    folder.remove();
  });

  it('keep one chain of audit lines', async () => {
    const all = await stores(4);
    const [first] = all as [PostgresStore];
    const made = await added(first);
    const writes = Array.from({ length: 48 }, (_, index) => {
      const store = all[index % all.length] as Store;
      return index % 3 === 0 ? store.changeKeys(made.server.id, () => ({ audit: entry(`x${index}`) })) : store.audit(entry(`x${index}`));
    });
    await Promise.all(writes);
    const lines = await first.auditTrail('default', 1, 100);
    expect(lines).toHaveLength(48);
    for (const [index, line] of lines.entries()) expect(faultOf(line, lines[index - 1] ?? null)).toBeUndefined();
  });

  it('see at once what another changed: a key that was disabled, a server that was removed', async () => {
    const [one, two] = (await stores(2)) as [PostgresStore, PostgresStore];
    const made = await added(one);
    expect((await two.findKey(made.key.hash))?.key.enabled).toBe(true);
    await one.changeKeys(made.server.id, (keys) => ({ put: keys.map((key) => ({ ...key, enabled: false })) }));
    expect((await two.findKey(made.key.hash))?.key.enabled).toBe(false);
    await two.removeServer(made.server.id);
    expect(await one.findKey(made.key.hash)).toBeUndefined();
    await expect(one.accept(made.server, made.key, [incoming(randomUUID(), 1)], 1)).rejects.toMatchObject({ code: 'HUB_SERVER_UNKNOWN' });
  });

  it('register no more servers together than a family of credentials may have', async () => {
    const all = await stores(3);
    const by = { actor: 'credential:ci-v1', family: 'ci', address: null, most: 4 };
    const asked = await Promise.all(
      Array.from({ length: 12 }, (_, index) => (all[index % 3] as Store).serverForHost('default', `h${index}`, 1, by)),
    );
    expect(asked.filter(Boolean)).toHaveLength(4);
  });

  it('take a key for one server only, and a token for one host', async () => {
    const [one, two] = (await stores(2)) as [PostgresStore, PostgresStore];
    const shared = hash();
    const adding = [one, two].map((store, index) => {
      const made = registered(`s${index}`);
      return store.addServer(made.server, { ...made.key, hash: shared });
    });
    const outcomes = await Promise.allSettled(adding);
    expect(outcomes.map((one) => one.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find((one) => one.status === 'rejected')).toMatchObject({ reason: { code: 'HUB_KEY_EXISTS' } });
    const times = { createdAt: 1, expiresAt: 9e15, usedAt: null, usedFor: null };
    const token = { hash: hash(), org: 'default', serverName: 'web', policy: 'grace' as const, graceMs: 5, ...times };
    await one.addToken(token);
    const used = await Promise.all(
      [one, two, one, two].map(async (store) => {
        const made = registered('web');
        let mine = false;
        await store.enroll(token.hash, (found) => {
          mine = found?.usedAt === null;
          return mine ? { token: { ...token, usedAt: 1 }, register: made.server, put: [made.key] } : undefined;
        });
        return mine;
      }),
    );
    expect(used.filter(Boolean)).toHaveLength(1);
  });

  it('wait for each other and never in a circle, whatever they do to the same servers', async () => {
    const all = await stores(3);
    const [first] = all as [PostgresStore];
    const made = await Promise.all(Array.from({ length: 8 }, (_, index) => added(first, `s${index}`)));
    const id = randomUUID();
    const work = Array.from({ length: 60 }, (_, index) => {
      const store = all[index % 3] as Store;
      const { server, key } = made[(index * 5) % 8] as (typeof made)[number];
      if (index % 5 === 0) return store.changeKeys(server.id, (keys) => ({ put: keys, audit: entry() }));
      if (index % 7 === 0) return store.useKey({ ...key, slot: 'next' }, index * 10_000);
      if (index % 11 === 0) return store.unrolled(9e15, 5);
      return store.accept(server, key, [incoming(id, index + 1)], index * 10_000);
    });
    await Promise.all(work);
    const taken = await Promise.all(made.map(({ server }) => first.instances(server.id)));
    const wanted = work.filter((_, index) => index % 5 !== 0 && index % 7 !== 0 && index % 11 !== 0).length;
    expect(taken.flat().reduce((sum, { accepted }) => sum + accepted, 0)).toBe(wanted);
  });
});

describe('the hosts of a PostgreSQL database', () => {
  it('are asked in turn, until one serves', async () => {
    const dead = await freePort();
    url = server.url(server.freshSchema()).replace(/@[^/]*/, (host) => `@127.0.0.1:${dead},127.0.0.1:${dead},${host.slice(1)}`);
    const store = await PostgresStore.open(url);
    opened.push(store);
    const made = await Promise.all(Array.from({ length: 12 }, (_, index) => added(store, `s${index}`)));
    expect(await store.servers('default')).toHaveLength(made.length);
  });

  it('serve only when they write', async () => {
    await stores(1);
    for (const statement of ['CREATE DATABASE reads', 'ALTER DATABASE reads SET default_transaction_read_only = on'])
      await plain(statement);
    const standby = PostgresStore.open(server.url().replace('/postgres?', '/reads?'));
    await expect(standby).rejects.toMatchObject({ code: 'HUB_DATABASE', message: expect.stringContaining('it only reads') });
  });
});

describe('the PostgreSQL schema', () => {
  it('of a later version is left alone, with HUB_DATA_NEWER', async () => {
    await stores(1);
    await plain('INSERT INTO migrations (version) VALUES (99)');
    await expect(PostgresStore.open(url)).rejects.toMatchObject({ code: 'HUB_DATA_NEWER' });
  });

  it('lets nobody change the audit trail with plain SQL, and shows a line that was spoilt all the same', async () => {
    const [store] = (await stores(1)) as [PostgresStore];
    for (let count = 0; count < 3; count++) await store.audit(entry());
    for (const statement of [`UPDATE audit SET line = '{}'`, 'DELETE FROM audit', 'TRUNCATE audit'])
      await expect(plain(statement)).rejects.toThrow('append-only');
    await plain(`ALTER TABLE audit DISABLE TRIGGER ALL; UPDATE audit SET line = 'spoilt' WHERE seq = 2`);
    await store.audit(entry());
    const lines = await store.auditTrail('default', 1, 9);
    expect(lines.map((line, index) => faultOf(line, lines[index - 1] ?? null) !== undefined)).toEqual([false, true, true, false]);
  });

  it('takes names that hold what PostgreSQL keeps in no text', async () => {
    const [store] = (await stores(1)) as [PostgresStore];
    const made = await added(store);
    await store.accept(made.server, made.key, [incoming(randomUUID(), 1, { hostName: 'a\0b', agentVersion: '"\\{}\0' })], 1);
    expect((await store.standing('default', 'a'))?.latest).toMatchObject({ hostName: 'a\uFFFDb', agentVersion: '"\\{}\uFFFD' });
    expect(await store.userByName('a\0')).toBeUndefined();
  });

  it('gives back the room of heartbeats that are old, a segment at a time', async () => {
    const [store] = (await stores(1)) as [PostgresStore];
    const { server, key } = await added(store);
    const id = randomUUID();
    const hour = 3_600_000;
    for (let round = 0; round < 8; round++) {
      const beats = Array.from({ length: 100 }, (_, index) => incoming(id, round * 100 + index + 1, { frame: new Uint8Array(3_000) }));
      await store.accept(server, key, beats, round * hour);
      await store.prune((round - 2) * hour, 1e12);
    }
    expect((await plain('SELECT count(*)::int FROM heartbeats'))[0]?.count).toBeLessThanOrEqual(500);
    expect(await store.recent(server.id, 0, 1e12)).toHaveLength(300);
    expect((await plain('SELECT count(*)::int FROM segments'))[0]?.count).toBeLessThan(6);
    expect(await store.instances(server.id)).toMatchObject([{ accepted: 800, gaps: [] }]);
  });

  it('loses nothing that is accepted while old segments are dropped', async () => {
    const [one, two] = (await stores(2)) as [PostgresStore, PostgresStore];
    const { server, key } = await added(one);
    const id = randomUUID();
    // Before each heartbeat all the earlier ones are old, and their segment may be dropped under the one that comes.
    for (let time = 1; time <= 25; time++) {
      const [taken] = await Promise.all([one.accept(server, key, [incoming(id, time)], time), two.prune(time, 1e12)]);
      expect(taken).toEqual({ accepted: 1, duplicates: 0 });
      expect((await two.recent(server.id, time * 10, 1e12)).length).toBe(1);
    }
  });
});
