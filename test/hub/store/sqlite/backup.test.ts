import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditLines, verifyAudit } from '../../../../src/hub/audit/audit.ts';
import { checkDatabase } from '../../../../src/hub/store/sqlite/integrity.ts';
import { SqliteStore } from '../../../../src/hub/store/sqlite-store.ts';
import { scoutHub } from '../../../cli/hub/helpers.ts';
import { heartbeat, packed, TestHub, tempFolder } from '../../helpers.ts';
import { incoming, registered } from '../store-suite.ts';

let folder: ReturnType<typeof tempFolder>;
let hub: TestHub | undefined;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
  folder.remove();
});

const target = () => join(folder.path, 'backup.db');

describe('a backup', () => {
  it('of a hub that runs brings back a hub in which the same keys work', async () => {
    hub = await new TestHub().start();
    const instance = randomUUID();
    let stop = false;
    let sequence = 0;
    const sending = (async () => {
      while (!stop) expect((await hub!.post(packed([heartbeat({ instance, sequence: ++sequence })]))).status).toBe(200);
    })();
    const before = await hub.call('/api/v1/whoami');
    const { status, stdout } = await scoutHub(['backup', target(), '--data', hub.folder.path, '--json']);
    stop = true;
    await sending;
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ file: target(), bytes: statSync(target()).size });
    expect(statSync(target()).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder.path)).toEqual(['backup.db']);

    // As docs/hub-operations.md says: into an empty folder, under the name hub.db.
    const data = join(folder.path, 'restored');
    mkdirSync(data, { mode: 0o700 });
    copyFileSync(target(), join(data, 'hub.db'));
    for (const file of ['ca.pem', 'ca-key.pem']) copyFileSync(join(hub.folder.path, file), join(data, file));
    const again = new TestHub();
    try {
      // The helper registers web-1, which is there already: by then the hub serves.
      await expect(again.start({ data })).rejects.toMatchObject({ code: 'HUB_SERVER_EXISTS' });
      copyFileSync(join(data, 'ca.pem'), join(again.folder.path, 'ca.pem'));
      const after = await again.call('/api/v1/whoami', { key: hub.server.key });
      expect({ ...JSON.parse(after.text), time: '' }).toEqual({ ...JSON.parse(before.text), time: '' });
      const { store } = again.serving.hub;
      const [shown] = await store.instances((await store.serverByName('default', 'web-1'))!.id);
      expect(shown?.gaps ?? []).toEqual([]);
      expect(await verifyAudit(auditLines(store, 'default'))).toMatchObject({ lines: 1 });
    } finally {
      await again.close();
    }
  });

  it('is as things stood when it began, and goes on being whole', async () => {
    const store = SqliteStore.open(folder.path);
    const { server, key } = registered('a');
    await store.addServer(server, key);
    await store.accept(
      server,
      key,
      [1, 2, 3].map((one) => incoming(randomUUID(), one)),
      1,
    );
    await store.openCursor('forward', 'start');
    await store.moveCursor('forward', 2);
    const pending = store.accept(server, key, [incoming(randomUUID(), 9)], 1);
    await store.backup(target());
    await pending;
    await store.removeServer(server.id);
    const data = join(folder.path, 'restored');
    mkdirSync(data);
    copyFileSync(target(), join(data, 'hub.db'));
    checkDatabase(data);
    const restored = SqliteStore.open(data);
    expect(await restored.findKey(key.hash)).toMatchObject({ server });
    expect(await restored.after(0, 9, 1e6)).toHaveLength(4);
    expect(await restored.openCursor('forward', 'start')).toEqual({ place: 2, lost: 0 });
    await restored.accept(server, key, [incoming(randomUUID(), 1)], 2);
    expect((await restored.after(4, 9, 1e6)).map((one) => one.place)).toEqual([5]);
    await restored.close();
    await store.close();
  });

  it('takes the place of nothing, and leaves nothing where it fails', async () => {
    const store = SqliteStore.open(folder.path);
    writeFileSync(target(), 'mine');
    await expect(store.backup(target())).rejects.toMatchObject({ code: 'HUB_BACKUP' });
    expect(readFileSync(target(), 'utf8')).toBe('mine');
    const link = join(folder.path, 'link');
    symlinkSync(join(folder.path, 'nowhere'), link);
    await expect(store.backup(link)).rejects.toMatchObject({ code: 'HUB_BACKUP' });
    await expect(store.backup(join(folder.path, 'no', 'such', 'folder'))).rejects.toMatchObject({ code: 'HUB_BACKUP' });
    expect(existsSync(join(folder.path, 'nowhere'))).toBe(false);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('.'))).toEqual([]);
    await store.close();
  });
});
