import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditLines, verifyAudit } from '../../../../src/hub/audit/audit.ts';
import { migrate } from '../../../../src/hub/store/sqlite/migrations.ts';
import { SqliteStore } from '../../../../src/hub/store/sqlite-store.ts';
import { ROLLUP_MS } from '../../../../src/hub/store/stream.ts';
import { link } from '../../../../src/support/chain.ts';
import { tempFolder } from '../../helpers.ts';
import { hash, incoming } from '../store-suite.ts';

/* Databases as each earlier version left them, opened by this one. What they hold was written by hand, as that version did. */

const LATEST = (() => {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  return Number(database.prepare('PRAGMA user_version').get()?.user_version);
})();

const ids = { server: randomUUID(), key: randomUUID(), instance: randomUUID(), user: randomUUID(), credential: randomUUID() };
const hashes = { key: hash(), ended: hash(), session: hash(), token: hash() };
const TIME = 1_800_000_000_000;

let folder: ReturnType<typeof tempFolder>;
let store: SqliteStore | undefined;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(async () => {
  await store?.close();
  store = undefined;
  folder.remove();
});

type Cell = string | number | Uint8Array | null;

function fill(database: DatabaseSync, version: number): void {
  const insert = (table: string, row: Record<string, Cell>) => {
    const names = Object.keys(row);
    database.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`).run(...Object.values(row));
  };
  const org: Record<string, Cell> = version >= 6 ? { org: 'default' } : {};
  // One that was removed: its number is not given again.
  insert('servers', { number: 1, id: 'gone', name: 'gone', policy: 'grace', grace_ms: 1, created_at: 1, ...org });
  database.exec('DELETE FROM servers');
  insert('servers', { number: 2, id: ids.server, name: 'web-1', policy: 'grace', grace_ms: 5, created_at: 7, ...org });
  insert('keys', {
    id: ids.key,
    server: 2,
    hash: hashes.key,
    slot: 'current',
    enabled: 1,
    created_at: 8,
    ...(version >= 3 && { name: 'k' }),
  });
  insert('instances', { number: 1, server: 2, id: ids.instance, first_sequence: 1, last_sequence: 9, accepted: 8, duplicates: 1 });
  insert('gaps', { instance: 1, low: 4, high: 4 });
  const latest = { server: 2, time: TIME, received: TIME, interval: 10, agent_version: '1', host_name: 'h', key_hash: hashes.key };
  insert('latest', { ...latest, key_slot: 'current', ...(version >= 2 && { alive_since: TIME }) });
  insert('inventories', { server: 2, body: '{"cpu":"x"}' });
  for (const number of [5, 6])
    insert('heartbeats', { number, server: 2, time: TIME + number, received: TIME, frame: Uint8Array.of(number) });
  insert('refusals', { server: 2, status: 401, count: 3 });
  insert('users', { id: ids.user, name: 'ada', role: 'admin', password_hash: 'x', ...org });
  insert('sessions', { hash: hashes.session, user: ids.user, created_at: 1, last_seen: 2 });
  if (version >= 3) {
    const entry = { at: 1, actor: 'cli:ann', action: 'server.add', subject: 'server:web-1', detail: {}, address: null };
    const first = link(entry, null);
    for (const line of [first, link(entry, first)]) insert('audit', { seq: line.seq, line: JSON.stringify(line), ...org });
    const credential = { id: ids.credential, name: 'ci', role: 'member', scopes: '["heartbeats"]', kid: 'kid', public_key: 'pub' };
    insert('credentials', { ...credential, enabled: 1, created_at: 1, ...org });
  }
  if (version >= 4) insert('ended_keys', { hash: hashes.ended, server: 2, ended_at: 9, how: 'replaced' });
  const token = { hash: hashes.token, server_name: 'web-2', policy: 'grace', grace_ms: 1, created_at: 1, expires_at: 2 };
  if (version >= 5) insert('tokens', { ...token, ...org });
}

function make(version: number): void {
  const database = new DatabaseSync(join(folder.path, 'hub.db'), { enableForeignKeyConstraints: true });
  database.exec('PRAGMA journal_mode = WAL');
  migrate(database, version);
  fill(database, version);
  database.close();
}

describe.each(Array.from({ length: LATEST }, (_, index) => index + 1))('a database of version %i', (version) => {
  it('is brought to this one with all that is in it', async () => {
    make(version);
    store = SqliteStore.open(folder.path);
    const server = { id: ids.server, org: 'default', name: 'web-1', policy: 'grace', graceMs: 5, createdAt: 7 };
    const found = await store.findKey(hashes.key);
    expect(found).toMatchObject({ server, key: { id: ids.key, slot: 'current', enabled: true, name: version >= 3 ? 'k' : null } });
    expect(await store.servers('default')).toEqual([server]);
    expect(await store.standing('default', 'web-1')).toMatchObject({ latest: { received: TIME, aliveSince: TIME }, accepted: 8 });
    expect(await store.instances(ids.server)).toMatchObject([{ firstSequence: 1, lastSequence: 9, duplicates: 1, gaps: [[4, 4]] }]);
    expect((await store.recent(ids.server, 0, TIME * 2)).map(({ frame }) => frame[0])).toEqual([5, 6]);
    expect(await store.inventory(ids.server)).toBe('{"cpu":"x"}');
    expect(await store.refusals(ids.server)).toEqual({ 401: 3 });
    expect(await store.userByName('ada')).toMatchObject({ id: ids.user, org: 'default', role: 'admin' });
    expect((await store.session(hashes.session))?.user.name).toBe('ada');
    expect(await verifyAudit(auditLines(store, 'default'))).toMatchObject({ lines: version >= 3 ? 2 : 0 });
    expect((await store.credentialByKid('kid'))?.id).toBe(version >= 3 ? ids.credential : undefined);
    expect((await store.endedKey(hashes.ended))?.endedAt).toBe(version >= 4 ? 9 : undefined);
    expect((await store.tokens('default')).map((one) => one.serverName)).toEqual(version >= 5 ? ['web-2'] : []);
  });

  it('goes on: heartbeats, places, roll-ups, and numbers that were given before', async () => {
    make(version);
    store = SqliteStore.open(folder.path);
    const found = (await store.findKey(hashes.key))!;
    const beats = [9, 10].map((sequence) => incoming(ids.instance, sequence, { time: TIME + sequence }));
    expect(await store.accept(found.server, found.key, beats, TIME)).toEqual({ accepted: 1, duplicates: 1 });
    expect((await store.after(0, 9, 1e6)).map((one) => one.place)).toEqual([5, 6, 7]);
    const stretch = { serverId: ids.server, time: TIME - (TIME % ROLLUP_MS) };
    expect(await store.unrolled(TIME + 1, 9)).toEqual([stretch]);
    await store.putRollups([{ ...stretch, frame: Uint8Array.of(1) }]);
    expect(await store.rollups(ids.server, 0, TIME + 1)).toHaveLength(1);
    await store.close();

    const database = new DatabaseSync(join(folder.path, 'hub.db'));
    expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    expect(database.prepare('PRAGMA foreign_key_check').all()).toEqual([]);
    expect(shapeOf(database)).toEqual(freshShape());
    expect(database.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'servers'`).get()).toEqual({ seq: 2 });
    database.close();
    store = SqliteStore.open(folder.path);
  });
});

/** Tables, their columns, indices and triggers: the same as in a database that was never anything else. */
function shapeOf(database: DatabaseSync): unknown {
  const all = database.prepare(`SELECT type, name, tbl_name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name`).all();
  const tables = all.filter((one) => one.type === 'table').map(({ name }) => [name, database.prepare(`PRAGMA table_xinfo(${name})`).all()]);
  return JSON.parse(JSON.stringify({ all, tables }));
}

function freshShape(): unknown {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  return shapeOf(database);
}
