import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readdirSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkDatabase, checkFile } from '../../../../src/hub/store/sqlite/integrity.ts';
import { SqliteStore } from '../../../../src/hub/store/sqlite-store.ts';
import { scoutHub } from '../../../cli/hub/helpers.ts';
import { TestHub, tempFolder } from '../../helpers.ts';
import { incoming, registered } from '../store-suite.ts';

let folder: ReturnType<typeof tempFolder>;
beforeEach(async () => {
  folder = tempFolder();
  const store = SqliteStore.open(folder.path);
  for (let index = 0; index < 60; index++) {
    const { server, key } = registered(`server-${index}`);
    await store.addServer(server, key);
    if (index < 8) await store.accept(server, key, [incoming(randomUUID(), 1, { frame: randomBytes(3_000) })], 1);
  }
  await store.close();
});
afterEach(() => folder.remove());

const file = () => join(folder.path, 'hub.db');
const digest = () => createHash('sha256').update(readFileSync(file())).digest('hex');

/** Overwrites the page that a table begins with, as a disk does that loses a sector. */
function damage(table: string): void {
  const database = new DatabaseSync(file(), { readOnly: true });
  const root = Number(database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)?.rootpage);
  const size = Number(database.prepare('PRAGMA page_size').get()?.page_size);
  database.close();
  const fd = openSync(file(), 'r+');
  writeSync(fd, randomBytes(size), 0, size, (root - 1) * size);
  closeSync(fd);
}

describe('a damaged database', () => {
  it.each(['servers', 'keys', 'heartbeats', 'audit'])('is refused at the start with what to do, and not touched: %s', async (table) => {
    damage(table);
    const before = digest();
    const { status, stderr } = await scoutHub(['serve', '--data', folder.path, '--listen', '127.0.0.1:0', '--tls-self-signed']);
    expect(status).toBe(78);
    expect(stderr).toMatch(/HUB_DATA_DAMAGED/);
    expect(stderr).toMatch(/restore hub\.db from a backup/);
    expect(digest()).toBe(before);
  });

  it('is seen where its end is missing, and where it is none', () => {
    truncateSync(file(), Math.floor(statSync(file()).size / 2 / 4_096) * 4_096);
    expect(() => checkDatabase(folder.path)).toThrow(expect.objectContaining({ code: 'HUB_DATA_DAMAGED' }));
    truncateSync(file(), 0);
    const fd = openSync(file(), 'r+');
    writeSync(fd, 'no database '.repeat(500));
    closeSync(fd);
    expect(() => checkDatabase(folder.path)).toThrow(expect.objectContaining({ code: 'HUB_DATA_DAMAGED' }));
  });

  it('that is too large to be read whole is looked at where the keys are', () => {
    damage('heartbeats');
    expect(() => checkFile(file(), false)).not.toThrow();
    expect(() => checkFile(file(), true)).toThrow(expect.objectContaining({ code: 'HUB_DATA_DAMAGED' }));
    damage('keys');
    expect(() => checkFile(file(), false)).toThrow(expect.objectContaining({ code: 'HUB_DATA_DAMAGED' }));
  });

  it('is refused to a command too', async () => {
    damage('servers');
    const { status, stderr } = await scoutHub(['server', 'list', '--data', folder.path]);
    expect(status).toBe(78);
    expect(stderr).toMatch(/HUB_DATA_DAMAGED/);
  });
});

describe('a database that is whole', () => {
  it('passes, also with what was not yet written back when its process was killed', async () => {
    checkDatabase(folder.path);
    const store = SqliteStore.open(folder.path);
    const { server, key } = registered('late');
    await store.addServer(server, key);
    expect(readdirSync(folder.path)).toContain('hub.db-wal');
    checkDatabase(folder.path);
    await store.close();
    expect(await (async () => SqliteStore.open(folder.path))().then((one) => one.close())).toBeUndefined();
  });

  it('passes where there is none yet', () => {
    const empty = tempFolder();
    checkDatabase(empty.path);
    empty.remove();
  });
});

describe('an audit trail that was edited', () => {
  it('is told in the log when the hub starts, which goes on serving', async () => {
    const hub = await new TestHub().start();
    const data = hub.folder.path;
    await hub.serving.stop();
    const database = new DatabaseSync(join(data, 'hub.db'));
    database.exec(`DROP TRIGGER audit_no_update; UPDATE audit SET line = replace(line, 'server.add', 'server.xxx')`);
    database.close();
    const said = Promise.withResolvers<string>();
    const none = () => {};
    const log = { debug: none, info: none, warn: none, error: (_: unknown, message: string) => said.resolve(message) };
    const again = new TestHub();
    try {
      // The helper registers web-1, which is there already: by then the hub serves.
      await expect(again.start({ data, log })).rejects.toMatchObject({ code: 'HUB_SERVER_EXISTS' });
      expect(await said.promise).toContain('audit trail');
      copyFileSync(join(data, 'ca.pem'), join(again.folder.path, 'ca.pem'));
      expect((await again.call('/readyz', { key: null })).status).toBe(200);
    } finally {
      await again.close();
    }
    hub.agent.destroy();
    hub.folder.remove();
  });
});
