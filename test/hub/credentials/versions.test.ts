import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addCredential, enableCredential } from '../../../src/hub/credentials/credentials.ts';
import { registerCredential, retireCredential } from '../../../src/hub/credentials/versions.ts';
import { hashKey } from '../../../src/hub/servers.ts';
import type { OrgCredential, Scope } from '../../../src/hub/store/store.ts';
import { heartbeat, packed, TestHub } from '../helpers.ts';

/* What an agent may do to a credential that other hosts use too. */

let hub: TestHub;
beforeEach(async () => {
  hub = await new TestHub().start();
});
afterEach(() => hub.close());

const DAY = 86_400_000;
const beat = async (key: string, ...names: string[]) => {
  const beats = names.map((name) => heartbeat({ host: { name, boot_time: 1 } }));
  expect((await hub.post(packed(beats), {}, key)).status).toBe(200);
};
const named = async (name: string) =>
  (await hub.serving.hub.store.credentials('default')).find((one) => one.name === name) as OrgCredential;

/** A credential, its next version, and a way to have that one end the first. */
async function replaced(scopes?: Scope[]) {
  const given = { name: 'agents', key: 'api-key', role: 'member', ...(scopes && { scopes }) } as const;
  const first = await addCredential(hub.registry, given);
  const second = randomBytes(32).toString('hex');
  await registerCredential(hub.serving.hub, await named('agents'), { sha256: hashKey(second) }, null);
  const retire = async (now = Date.now()) =>
    retireCredential({ store: hub.serving.hub.store, now: () => now }, await named('agents-v2'), first.fingerprint, null);
  return { first: first.key as string, second, retire };
}

it('is not ended while the latest heartbeat of a server came with it: that one would be shut out', async () => {
  const { first, second, retire } = await replaced();
  await beat(first, 'a.example', 'b.example');
  await beat(second, 'a.example');
  const refused = { status: 409, code: 'key_in_use', message: expect.stringContaining('1 server (b.example)') };
  await expect(retire()).rejects.toMatchObject(refused);
  expect((await named('agents')).enabled).toBe(true);
  await beat(second, 'b.example');
  expect(await retire()).toMatchObject({ retired: true });
  expect((await named('agents')).enabled).toBe(false);
  expect(await retire()).toMatchObject({ retired: false });
});

it('is ended all the same once those have not been heard from for a day, or by people at any time', async () => {
  const { first, retire } = await replaced();
  await beat(first, ...Array.from({ length: 7 }, (_, index) => `host-${index}.example`));
  await expect(retire(Date.now() + DAY - 60_000)).rejects.toThrow('7 servers (host-0.example, host-1.example');
  expect(await retire(Date.now() + DAY + 60_000)).toMatchObject({ retired: true });
  await enableCredential(hub.registry, 'agents', true);
  await enableCredential(hub.registry, 'agents', false);
  expect(await retire()).toMatchObject({ retired: false });
});

it('names no servers to a credential that may not read them', async () => {
  const { first, retire } = await replaced(['heartbeats', 'keys']);
  await beat(first, 'secret.example');
  await expect(retire()).rejects.toThrow('heartbeat of 1 server, in the last');
});
