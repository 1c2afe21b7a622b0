import { randomUUID } from 'node:crypto';
import { chownSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { migrate } from '../../../src/hub/store/sqlite/migrations.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { faultOf } from '../../../src/support/chain.ts';
import { tempFolder } from '../helpers.ts';
import { describeStore, incoming, registered } from './store-suite.ts';

let folder = tempFolder();
afterEach(() => {
  folder.remove();
});

describeStore(
  'SQLite store',
  async () => {
    folder = tempFolder();
    return SqliteStore.open(folder.path);
  },
  async (store) => {
    await store.close();
    return SqliteStore.open(folder.path);
  },
  () => folder.remove(),
);

describe('commits', () => {
  it('of what comes in close together are shared, whatever the size, and none is left behind', async () => {
    folder = tempFolder();
    const store = SqliteStore.open(folder.path);
    const { server, key } = registered('a');
    await store.addServer(server, key);
    const instance = randomUUID();
    const batch = (first: number, size: number) => Array.from({ length: size }, (_, index) => incoming(instance, first + index));
    const answers = [store.accept(server, key, batch(1, 1), 1)];
    await answers[0];
    for (let index = 0; index < 25; index++) answers.push(store.accept(server, key, batch(2 + index * 100, 100), 2));
    expect((await Promise.all(answers)).reduce((sum, { accepted }) => sum + accepted, 0)).toBe(2_501);
    answers.push(store.accept(server, key, batch(2_502, 1), 3));
    // What waits when the store is closed is written.
    await store.close();
    expect(await answers.at(-1)).toEqual({ accepted: 1, duplicates: 0 });
  });
});

describe('SQLite file', () => {
  it('is readable by its owner only, journals included', async () => {
    folder = tempFolder();
    const data = join(folder.path, 'new', 'data');
    const store = SqliteStore.open(data);
    const { server, key } = registered('a');
    await store.addServer(server, key);
    expect(statSync(data).mode & 0o777).toBe(0o700);
    for (const name of ['hub.db', 'hub.db-wal', 'hub.db-shm']) expect(statSync(join(data, name)).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('belongs to whom the folder does, made by root as well', async () => {
    folder = tempFolder();
    if (process.getuid?.() === 0) chownSync(folder.path, 12_345, 12_345);
    const { uid } = statSync(folder.path);
    const store = SqliteStore.open(folder.path);
    for (const name of ['hub.db', 'hub.db-wal', 'hub.db-shm']) expect(statSync(join(folder.path, name)).uid).toBe(uid);
    await store.close();
  });

  it('of a later version is left alone, with HUB_DATA_NEWER', async () => {
    folder = tempFolder();
    await SqliteStore.open(folder.path).close();
    const database = new DatabaseSync(join(folder.path, 'hub.db'));
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(() => SqliteStore.open(folder.path)).toThrow(expect.objectContaining({ code: 'HUB_DATA_NEWER' }));
  });

  it('from before there were organisations is brought up to date, with all that is in it', async () => {
    folder = tempFolder();
    const { server, key } = registered('a');
    const old = new DatabaseSync(join(folder.path, 'hub.db'));
    migrate(old, 5);
    old.exec(`
      INSERT INTO servers (number, id, name, policy, grace_ms, created_at) VALUES (7, '${server.id}', 'a', 'grace', 86400000, 1000);
      UPDATE sqlite_sequence SET seq = 9;
      INSERT INTO keys VALUES ('${key.id}', 7, '${key.hash}', 'current', 1, ${key.createdAt}, NULL, NULL, NULL);
      INSERT INTO credentials VALUES ('c', 'ci', 'member', '["keys"]', 'kid', 'x', 1, 1, NULL, NULL);
      INSERT INTO users VALUES ('u', 'ann', 'admin', 'x');
      INSERT INTO audit VALUES (1, '{"seq":1,"hash":"h"}')`);
    old.close();
    const store = SqliteStore.open(folder.path);
    expect(await store.findKey(key.hash)).toEqual({ server, key });
    expect(await store.credentials('default')).toMatchObject([{ org: 'default', name: 'ci', publicKey: 'x' }]);
    expect(await store.userByName('ann')).toMatchObject({ org: 'default' });
    expect(await store.auditTrail('default', 1, 9)).toMatchObject([{ seq: 1 }]);
    await store.removeServer(server.id);
    expect(await store.findKey(key.hash)).toBeUndefined();
    const next = registered('b');
    await store.addServer(next.server, next.key);
    await store.close();
    const found = new DatabaseSync(join(folder.path, 'hub.db'));
    // A number that was given once is not given again.
    expect(found.prepare('SELECT number FROM servers').get()).toEqual({ number: 10 });
    found.close();
  });

  it('that is none is refused with HUB_DATA_DAMAGED', () => {
    folder = tempFolder();
    writeFileSync(join(folder.path, 'hub.db'), 'this is no database, and it is long enough to be seen as none'.repeat(20));
    expect(() => SqliteStore.open(folder.path)).toThrow(expect.objectContaining({ code: 'HUB_DATA_DAMAGED' }));
    expect(() => SqliteStore.open('/dev/null/x')).toThrow(expect.objectContaining({ code: 'HUB_DATA' }));
  });

  it('shows one connection what another commits', async () => {
    folder = tempFolder();
    const [one, two] = [SqliteStore.open(folder.path), SqliteStore.open(folder.path)];
    const { server, key } = registered('a');
    await one.addServer(server, key);
    expect(await two.findKey(key.hash)).toBeDefined();
    const id = randomUUID();
    await Promise.all([
      one.accept(server, key, [incoming(id, 1), incoming(id, 2)], 1),
      two.accept(server, key, [incoming(id, 2), incoming(id, 3)], 1),
    ]);
    expect(await one.instances(server.id)).toMatchObject([{ accepted: 3, duplicates: 1, gaps: [] }]);
    await one.removeServer(server.id);
    expect(await two.findKey(key.hash)).toBeUndefined();
    await one.close();
    await two.close();
  });

  it('lets nobody change the audit trail with plain SQL, and shows a line that was spoilt all the same', async () => {
    folder = tempFolder();
    const store = SqliteStore.open(folder.path);
    const entry = { at: 1, actor: 'cli:ann', action: 'x', subject: 'y', detail: {}, address: null };
    for (let count = 0; count < 3; count++) await store.audit({ org: 'default', ...entry });
    const database = new DatabaseSync(join(folder.path, 'hub.db'));
    expect(() => database.exec(`UPDATE audit SET line = '{}'`)).toThrow('append-only');
    expect(() => database.exec('DELETE FROM audit')).toThrow('append-only');
    database.exec(`DROP TRIGGER audit_no_update; UPDATE audit SET line = 'spoilt' WHERE seq > 1`);
    database.close();
    await store.audit({ org: 'default', ...entry });
    const [first, second, third, fourth] = await store.auditTrail('default', 1, 9);
    expect([first!, second!, third!].map((line, i) => faultOf(line, [null, first!, second!][i]!) !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
    expect(fourth).toMatchObject({ ...entry, seq: 4 });
    await store.close();
  });

  it('drops the oldest heartbeats when its disk is nearly full, as many as room is wanted for, once', async () => {
    folder = tempFolder();
    let spare = 1e9;
    const store = SqliteStore.open(folder.path, () => spare);
    const { server, key } = registered('a');
    await store.addServer(server, key);
    const id = randomUUID();
    const batch = (first: number) => Array.from({ length: 500 }, (_, i) => incoming(id, first + i, { frame: new Uint8Array(2_000) }));
    for (const first of [1, 501, 1_001, 1_501, 2_001]) await store.accept(server, key, batch(first), first);
    expect(await store.prune(0, 1e12)).toEqual({ old: 0, excess: 0 });
    spare = -1_500_000;
    expect(await store.prune(0, 1e12)).toEqual({ old: 0, excess: 1_000 });
    // The file is as large as before, and what is free within it counts.
    expect(await store.prune(0, 1e12)).toEqual({ old: 0, excess: 0 });
    const { bytes } = await store.size();
    await store.accept(server, key, batch(2_501), 2_501);
    expect((await store.size()).bytes).toBe(bytes);
    await store.close();
  });

  it('commits what waits when it is closed', async () => {
    folder = tempFolder();
    const store = SqliteStore.open(folder.path);
    const { server, key } = registered('a');
    await store.addServer(server, key);
    const pending = store.accept(server, key, [incoming(randomUUID(), 1)], 1);
    await store.close();
    expect(await pending).toEqual({ accepted: 1, duplicates: 0 });
  });
});
