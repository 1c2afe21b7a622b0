import { afterEach, beforeEach, expect, it } from 'vitest';
import { rotateKey } from '../../../src/hub/keys/changes.ts';
import { addServer, hashKey, listKeys } from '../../../src/hub/servers.ts';
import { TestHub } from '../helpers.ts';

let hub: TestHub;
beforeEach(async () => {
  hub = await new TestHub().start();
});
afterEach(() => hub.close());

const works = async (key: string) => (await hub.call('/api/v1/whoami', { key })).status === 200;

it('rotated twice before the agent has the new key, the one that it uses works on; with a window of nothing it ends', async () => {
  const { key: used } = await addServer(hub.registry, 'a', 'grace', 3_600_000);
  expect(await works(used)).toBe(true);
  const { key: first } = await rotateKey(hub.registry, 'a');
  const { key: second } = await rotateKey(hub.registry, 'a');
  expect(await works(used)).toBe(true);
  const slots = async () => Object.fromEntries((await listKeys(hub.registry, 'a')).map((one) => [one.fingerprint, one.slot]));
  const print = (key: string) => hashKey(key).slice(0, 12);
  expect(await slots()).toEqual({ [print(used)]: 'previous', [print(first)]: 'previous', [print(second)]: 'current' });

  // Once the new one is in use, the older ones have had their time.
  expect(await works(second)).toBe(true);
  const { key: third } = await rotateKey(hub.registry, 'a');
  expect(await slots()).toEqual({ [print(second)]: 'previous', [print(third)]: 'current' });

  await rotateKey(hub.registry, 'a', { graceMs: 0 });
  expect(await works(second)).toBe(false);
});
