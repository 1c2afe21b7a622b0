import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CopyOptions, copyHub } from '../../../../src/hub/store/copy/copy.ts';
import { asSource as fromPostgres } from '../../../../src/hub/store/copy/postgres.ts';
import { asSource as fromSqlite } from '../../../../src/hub/store/copy/sqlite.ts';
import { COPIED } from '../../../../src/hub/store/copy/tables.ts';
import { openStore, type Place } from '../../../../src/hub/store/open.ts';
import type { Store } from '../../../../src/hub/store/store.ts';
import { Postgres } from '../../../helpers/postgres.ts';
import { tempFolder } from '../../helpers.ts';
import { incoming, registered } from '../store-suite.ts';
import { content, dump, make, plainRows, selectOf } from './content.ts';

let server: Postgres;
let folder: ReturnType<typeof tempFolder>;
beforeAll(async () => {
  server = await Postgres.start();
});
afterAll(() => server.remove());
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => folder.remove());

let count = 0;
/** A folder without a hub, and the file that its database would be. */
function freshFolder(): { data: string; file: string } {
  const data = join(folder.path, String(++count));
  mkdirSync(data);
  return { data, file: join(data, 'hub.db') };
}
const freshSchema = (): Place & { schema: string } => {
  const schema = server.freshSchema();
  return { data: folder.path, database: server.url(schema), schema };
};

/** Content with rows in every table. */
const full = () =>
  fc.sample(content, { seed: 7, numRuns: 200 }).find((one) => one.organisations > 1 && one.servers > 1 && one.rows.length > 4)!;
function fullFolder(): ReturnType<typeof freshFolder> {
  const made = freshFolder();
  make(made.file, full());
  return made;
}

/** The server may take its time to end a connection that was closed, on a busy machine. */
const MANNER = { patienceMs: 20_000, segmentBytes: 1e9 };
const copy = (from: Place, to: Place, options: CopyOptions = {}) => copyHub(from, to, { ...MANNER, ...options });

async function inStore<T>(place: Place, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(place);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Plain SQL in a schema. */
async function plain(schema: string, statement: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(server.url().replace(/\?.*/, ''), { max: 1, onnotice: () => {}, connection: { search_path: schema } });
  try {
    return await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

describe('a copy', () => {
  it('is all that there was, there and back', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(content, async (what) => {
        const [from, between, back] = [freshFolder(), freshSchema(), freshFolder()];
        make(from.file, what);
        const before = dump(from.file);
        await copy(from, between);
        await copy(between, back);
        expect(dump(back.file)).toEqual(before);
        expect(dump(from.file)).toEqual(before);
      }),
      { numRuns: 6 },
    );
  });

  it('has every row in PostgreSQL, counts rows and trails, and tells how far it is', async () => {
    const [from, to] = [fullFolder(), freshSchema()];
    const told: Record<string, string> = {};
    const copied = await copy(from, to, {
      onProgress: (table, done, all) => {
        told[table] = `${done} of ${all}`;
      },
    });
    expect(Object.values(copied.rows).every((rows) => rows > 0)).toBe(true);
    expect(told).toEqual(Object.fromEntries(Object.entries(copied.rows).map(([table, rows]) => [table, `${rows} of ${rows}`])));
    expect(copied.trails.length).toBeGreaterThan(2);
    for (const trail of copied.trails)
      expect(trail).toEqual({
        org: expect.any(String),
        lines: full().rows.length,
        last: expect.stringMatching(/^[0-9a-f]{64}$/),
        fault: null,
      });
    const before = dump(from.file);
    for (const table of COPIED) {
      const rows = await plain(to.schema, selectOf(table.name, table.columns, table.order));
      if (table.name !== 'meta') expect(plainRows(table, rows), table.name).toEqual(before[table.name]);
    }
    expect(JSON.stringify(copied)).not.toContain(new URL(to.database as string).password);
  });

  it('goes on where the other stopped: duplicates, places, readers, numbers given', async () => {
    const [from, to] = [freshFolder(), freshSchema()];
    const { server: host, key } = registered('web-1');
    const gone = registered('gone');
    const beat = (sequence: number) => incoming(host.id, sequence, { time: 1e12 + sequence, inventory: '{}' });
    await inStore(from, async (store) => {
      await store.addServer(gone.server, gone.key);
      await store.addServer(host, key);
      const audit = { org: 'default', at: 5, actor: 'cli:ann', action: 'server.remove', subject: 'x', detail: {}, address: null };
      await store.removeServer(gone.server.id, audit);
      await store.accept(host, key, [1, 2, 3, 5, 8].map(beat), 1e12);
      await store.openCursor('forward', 'start');
      await store.moveCursor('forward', 3);
    });
    await copy(from, to);
    await inStore(to, async (store) => {
      expect(await store.serviceId()).toBe(await inStore(from, (old) => old.serviceId()));
      expect(await store.accept(host, key, [1, 4, 8, 9].map(beat), 1e12 + 1)).toEqual({ accepted: 2, duplicates: 2 });
      expect(await store.instances(host.id)).toMatchObject([{ accepted: 7, duplicates: 2, gaps: [[6, 7]] }]);
      expect(await store.openCursor('forward', 'now')).toEqual({ place: 3, lost: 0 });
      expect((await store.after(3, 99, 1e9)).map(({ place }) => place)).toEqual([4, 5, 6, 7]);
      await expect(store.addServer(registered('b').server, { ...key, hash: gone.key.hash })).rejects.toMatchObject({
        code: 'HUB_KEY_ENDED',
      });
      await store.audit({ org: 'default', at: 6, actor: 'cli:ann', action: 'x', subject: 'y', detail: {}, address: null });
      expect((await store.auditTrail('default', 1, 9)).map(({ seq }) => seq)).toEqual([1, 2]);
      const next = registered('web-2');
      await store.addServer(next.server, next.key);
      await store.prune(0, 1e12);
      expect(await store.recent(host.id, 0, 9e15)).toHaveLength(7);
    });
    // The number of the server that is gone was given once for ever.
    expect(await plain(to.schema, 'SELECT min(number)::int AS first FROM servers')).toEqual([{ first: 2 }]);
  });

  it('leaves behind what PostgreSQL has dropped from the window and not from its disk', async () => {
    const [from, to] = [freshSchema(), freshFolder()];
    const { server: host, key } = registered('web-1');
    const taken = await inStore(from, async (store) => {
      await store.addServer(host, key);
      for (const received of [1_000, 2_000, 3_000]) await store.accept(host, key, [incoming(host.id, received)], received);
      await store.prune(2_500, 1e12);
      return store.recent(host.id, 0, 9e15);
    });
    expect(taken).toHaveLength(1);
    expect((await copy(from, to)).rows.heartbeats).toBe(1);
    expect(await inStore(to, (store) => store.recent(host.id, 0, 9e15))).toEqual(taken);
  });

  it('takes a window over in parts that are dropped one by one', async () => {
    const [from, to] = [freshFolder(), freshSchema()];
    const { server: host, key } = registered('web-1');
    await inStore(from, async (store) => {
      await store.addServer(host, key);
      for (let sequence = 1; sequence <= 1_300; sequence += 100) {
        const beats = Array.from({ length: 100 }, (_, index) => incoming(host.id, sequence + index, { frame: new Uint8Array(100) }));
        await store.accept(host, key, beats, sequence);
      }
    });
    // Five hundred rows at a time.
    await copy(from, to, { segmentBytes: 60_000 });
    expect(await plain(to.schema, 'SELECT count(*)::int FROM segments')).toEqual([{ count: 2 }]);
    await inStore(to, (store) => store.prune(1_201, 1e12));
    expect(await plain(to.schema, 'SELECT count(*)::int FROM heartbeats')).toEqual([{ count: 300 }]);
  });
});

describe('a copy is refused', () => {
  const refused = async (from: Place, to: Place, code: string) => {
    const outcome = copy(from, to, code === 'HUB_COPY_BUSY' ? { patienceMs: 100 } : {}).then(
      () => ({ code: 'copied' }),
      (error: unknown) => error,
    );
    expect(await outcome).toMatchObject({ code });
  };

  it.each([
    ['SQLite', fullFolder],
    [
      'PostgreSQL',
      async () => {
        const place = freshSchema();
        await copy(fullFolder(), place);
        return place;
      },
    ],
  ])('while somebody has the source open: %s', async (_, make) => {
    const from = await make();
    for (const to of [freshFolder(), freshSchema()]) {
      await inStore(from, async () => refused(from, to, 'HUB_COPY_BUSY'));
      await copy(from, to);
    }
  });

  it('while a hub is on the target, and what such a hub left does no harm once it is gone', async () => {
    const [from, to] = [fullFolder(), freshSchema()];
    await inStore(to, async (store) => {
      await store.openCursor('forward', 'now');
      await store.lease('forward', 'x', 1, 9e12);
      await store.prune(9e15, 1e12);
      await refused(from, to, 'HUB_COPY_BUSY');
    });
    await copy(from, to);
    const back = freshFolder();
    await copy(to, back);
    expect(dump(back.file)).toEqual(dump(from.file));
  });

  it('into a place that has a hub, which stays as it is', async () => {
    const [from, to, other] = [fullFolder(), freshSchema(), freshFolder()];
    const { server: host, key } = registered('web-1');
    for (const place of [to, other]) {
      await inStore(place, (store) => store.addServer(host, key));
      await refused(from, place, 'HUB_COPY_NOT_EMPTY');
      expect(await inStore(place, (store) => store.servers('default'))).toEqual([host]);
    }
    const journal = freshFolder();
    writeFileSync(`${journal.file}-wal`, '');
    await refused(from, journal, 'HUB_COPY_NOT_EMPTY');
    expect(readdirSync(journal.data)).toEqual(['hub.db-wal']);
  });

  it('from where there is no hub, and makes none', async () => {
    const schema = freshSchema();
    await refused(schema, freshFolder(), 'HUB_COPY_NONE');
    expect(await plain('public', `SELECT to_regnamespace('${schema.schema}') IS NULL AS none`)).toEqual([{ none: true }]);
    const empty = freshFolder();
    await refused(empty, freshSchema(), 'HUB_COPY_NONE');
    expect(readdirSync(empty.data)).toEqual([]);
  });

  it('of a broken audit trail, unless it is wanted as it stands', async () => {
    const [from, to] = [fullFolder(), freshSchema()];
    const database = new DatabaseSync(from.file);
    database.exec(`DROP TRIGGER audit_no_update; UPDATE audit SET line = 'spoilt' WHERE org = 'b' AND seq = 2`);
    database.close();
    await refused(from, to, 'HUB_COPY_AUDIT');
    const { trails } = await copy(from, to, { acceptBrokenAudit: true });
    expect(trails.map(({ org, fault }) => [org, fault?.line]).sort()).toContainEqual(['b', 2]);
    expect(await plain(to.schema, `SELECT line FROM audit WHERE org = 'b' AND seq = 2`)).toEqual([{ line: 'spoilt' }]);
  });
});

it('nobody opens what is being copied', async () => {
  const [file, schema] = [fullFolder(), freshSchema()];
  await copy(file, schema);
  await fromPostgres(schema, MANNER, () =>
    expect(openStore(schema)).rejects.toMatchObject({ code: 'HUB_DATABASE', message: expect.stringContaining('scout-hub copy') }),
  );
  expect(await inStore(schema, (store) => store.size())).toMatchObject({ servers: full().servers });
  await fromSqlite(file, MANNER, async () => {
    const other = new DatabaseSync(file.file, { timeout: 0 });
    expect(() => other.exec('SELECT count(*) FROM servers')).toThrow('locked');
    other.close();
    await expect(copy(file, freshFolder())).rejects.toMatchObject({ code: 'HUB_COPY_BUSY' });
  });
});

/** Copies in a process of its own, which kills itself once it is so far into a table. */
async function copyAndDie(from: Place, to: Place, table: string): Promise<string | null> {
  const module = new URL('../../../../src/hub/store/copy/copy.ts', import.meta.url).href;
  const code = `
    const { copyHub } = await import(${JSON.stringify(module)});
    const [from, to, table, manner] = JSON.parse(process.env.COPY);
    const onProgress = (now) => now === table && process.kill(process.pid, 'SIGKILL');
    await copyHub(from, to, { ...manner, onProgress });`;
  const env = { ...process.env, COPY: JSON.stringify([from, to, table, MANNER]) };
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { env, stdio: 'inherit' });
  const [, signal] = await once(child, 'close');
  return signal;
}

describe('a copy that is killed', { timeout: 120_000 }, () => {
  it.each(['meta', 'heartbeats', 'notices'])(
    'leaves an empty target that the next one fills, and the source as it was: in %s',
    async (table) => {
      const [from, between, to] = [fullFolder(), freshSchema(), freshFolder()];
      const before = dump(from.file);
      expect(await copyAndDie(from, between, table)).toBe('SIGKILL');
      expect(await copy(from, between)).toMatchObject({ rows: { heartbeats: (before.heartbeats as unknown[]).length } });
      expect(await copyAndDie(between, to, table)).toBe('SIGKILL');
      expect(readdirSync(to.data)).toEqual([expect.stringMatching(/^\.hub\.db\.copy-/)]);
      await copy(between, to);
      expect(readdirSync(to.data)).toEqual(['hub.db']);
      expect(dump(to.file)).toEqual(before);
      expect(dump(from.file)).toEqual(before);
    },
  );
});

it('a copy whose database goes away says so, and leaves nothing', { timeout: 120_000 }, async () => {
  const [from, between, to] = [fullFolder(), freshSchema(), freshFolder()];
  const interrupted = async (source: Place, target: Place) => {
    let killed: Promise<void> | undefined;
    const copying = copy(source, target, {
      onProgress: (table) => {
        if (table === 'servers') killed ??= server.kill();
      },
    });
    const { database } = between;
    await expect(copying).rejects.toMatchObject({
      code: 'HUB_DATABASE',
      message: expect.stringContaining(new URL(database as string).host),
    });
    await killed;
    await server.start();
  };
  await interrupted(from, between);
  await copy(from, between);
  await interrupted(between, to);
  expect(readdirSync(to.data)).toEqual([]);
  await copy(between, to);
  expect(dump(to.file)).toEqual(dump(from.file));
});
