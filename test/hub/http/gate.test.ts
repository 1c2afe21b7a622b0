import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AgentCaller, Gate } from '../../../src/hub/http/gate.ts';
import type { Hub } from '../../../src/hub/hub.ts';
import { Metrics } from '../../../src/hub/metrics.ts';
import { addServer } from '../../../src/hub/servers.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { registryOf, tempFolder } from '../helpers.ts';

const NOW = Date.UTC(2026, 0, 31, 12);
let folder: ReturnType<typeof tempFolder>;
let hub: Hub;
let gate: Gate;
beforeEach(() => {
  folder = tempFolder();
  hub = { store: SqliteStore.open(folder.path), now: () => NOW, monotonic: () => 0, serviceId: randomUUID(), publicOrigin: '' };
  gate = new Gate(hub, new Metrics());
});
afterEach(async () => {
  await gate.refusals.flush();
  await hub.store.close();
  folder.remove();
});

it('tells until when a previous key is good, and nothing of one that is not any more', async () => {
  const { key } = await addServer(registryOf(hub.store), 'web-1', 'grace', 1_000);
  const caller = (await gate.admit({ 'x-api-key': key }, 'a')) as AgentCaller;
  const { keys } = hub.store;
  const withPrevious = (validUntil: number | null, enabled = true) => {
    hub.store.keys = async (id) => [...(await keys.call(hub.store, id)), { ...caller.key, slot: 'previous', enabled, validUntil }];
  };
  expect(await gate.standing(caller)).toMatchObject({ slot: 'current', previous_key_valid_until: null });
  withPrevious(NOW + 1_000);
  expect(await gate.standing(caller)).toMatchObject({ previous_key_valid_until: '2026-01-31T12:00:01.000Z' });
  withPrevious(NOW);
  expect(await gate.standing(caller)).toMatchObject({ previous_key_valid_until: null });
  withPrevious(NOW + 1_000, false);
  expect(await gate.standing(caller)).toMatchObject({ previous_key_valid_until: null });
});

it('prefers X-API-Key, and takes a bearer in any case of its scheme', async () => {
  const { key, server_id } = await addServer(registryOf(hub.store), 'web-1', 'grace', 1_000);
  for (const headers of [
    { authorization: `bearer ${key}` },
    { authorization: `BEARER  ${key} ` },
    { 'x-api-key': key, authorization: 'Bearer x' },
  ])
    expect(await gate.admit(headers, 'a')).toMatchObject({ kind: 'agent', server: { id: server_id } });
  await expect(gate.admit({ 'x-api-key': '', authorization: `Bearer ${key}` }, 'a')).rejects.toMatchObject({ code: 'key_missing' });
});

it('writes refusals of unknown keys for no server', async () => {
  const { server_id } = await addServer(registryOf(hub.store), 'web-1', 'grace', 1_000);
  const refused: unknown[] = [];
  const { refuse } = hub.store;
  hub.store.refuse = async (...args) => {
    refused.push(args);
    return refuse.apply(hub.store, args);
  };
  for (let count = 0; count < 3; count++)
    await expect(gate.admit({ 'x-api-key': 'x' }, 'a')).rejects.toMatchObject({ code: 'key_refused' });
  await gate.refusals.flush();
  expect(refused).toEqual([[null, 401, 3, expect.any(Number)]]);
  expect(await hub.store.refusals(server_id)).toEqual({});
});
