import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addServer, hashKey, listKeys, listServers, type Registry, removeServer, showServer, stateOf } from '../../src/hub/servers.ts';
import { SqliteStore } from '../../src/hub/store/sqlite-store.ts';
import { serverDetailsSchema, serverSummarySchema } from '../../src/protocol/servers.ts';
import { tempFolder } from './helpers.ts';
import { incoming } from './store/store-suite.ts';

const NOW = Date.UTC(2026, 0, 31, 12);
let folder: ReturnType<typeof tempFolder>;
let hub: Registry & { store: SqliteStore };
beforeEach(() => {
  folder = tempFolder();
  hub = { store: SqliteStore.open(folder.path), now: () => NOW, org: 'default' };
});
afterEach(async () => {
  await hub.store.close();
  folder.remove();
});

describe('servers', () => {
  it('get a key of 64 hex characters, shown once and kept as its SHA-256', async () => {
    const added = await addServer(hub, 'web-1', 'multi', 0);
    expect(added.key).toMatch(/^[0-9a-f]{64}$/);
    expect(added.fingerprint).toBe(hashKey(added.key).slice(0, 12));
    const [key] = await hub.store.keys(added.server_id);
    expect(key).toMatchObject({ hash: hashKey(added.key), slot: 'current', enabled: true, validUntil: null });
    const views = JSON.stringify([await showServer(hub, 'web-1'), await listServers(hub), await listKeys(hub, 'web-1')]);
    expect(views).not.toContain(added.key);
    expect(views).not.toContain(hashKey(added.key));
  });

  it('are listed and shown as their schemas say', async () => {
    const { server_id } = await addServer(hub, 'web-1', 'grace', 3_600_000);
    const found = await hub.store.findKey(hashKey((await addServer(hub, 'web-2', 'immediate', 0)).key));
    const id = randomUUID();
    if (found) await hub.store.accept(found.server, found.key, [incoming(id, 1), incoming(id, 4)], NOW - 1_000);
    const list = await listServers(hub);
    for (const one of list) serverSummarySchema.strict().parse(one);
    expect(list.map((one) => [one.name, one.state, one.accepted])).toEqual([
      ['web-1', 'never', 0],
      ['web-2', 'alive', 2],
    ]);
    const shown = serverDetailsSchema.strict().parse(await showServer(hub, 'web-2'));
    expect(shown).toMatchObject({
      last_received: '2026-01-31T11:59:59.000Z',
      instances: [{ id, accepted: 2, gaps: [[2, 3]] }],
      refused: {},
    });
    expect(serverDetailsSchema.strict().parse(await showServer(hub, 'web-1'))).toMatchObject({ server_id, grace: 3_600, instances: [] });
  });

  it('that are unknown, there already or badly named are refused', async () => {
    await addServer(hub, 'web-1', 'grace', 0);
    await expect(addServer(hub, 'web-1', 'grace', 0)).rejects.toMatchObject({ code: 'HUB_SERVER_EXISTS' });
    for (const name of ['', ' a', '-a', 'a/b', 'a\n', '<b>', 'x'.repeat(129)])
      await expect(addServer(hub, name, 'grace', 0)).rejects.toMatchObject({ code: 'HUB_SERVER_NAME' });
    for (const ask of [showServer, removeServer, listKeys])
      await expect(ask(hub, 'none')).rejects.toMatchObject({ code: 'HUB_SERVER_UNKNOWN' });
    await removeServer(hub, 'web-1');
    await expect(showServer(hub, 'web-1')).rejects.toMatchObject({ code: 'HUB_SERVER_UNKNOWN' });
  });
});

it('stateOf: late after two intervals, silent after ten, with five seconds of slack', () => {
  const latest = (age: number, interval: number) => ({ time: 0, received: NOW - age, interval, agentVersion: '', hostName: '' });
  expect(stateOf(null, NOW)).toBe('never');
  expect([25_000, 25_001, 105_000, 105_001].map((age) => stateOf(latest(age, 10), NOW))).toEqual(['alive', 'late', 'late', 'silent']);
  expect(stateOf(latest(-1e9, 10), NOW)).toBe('alive');
  expect(stateOf(latest(4_000, 0.02), NOW)).toBe('alive');
});
