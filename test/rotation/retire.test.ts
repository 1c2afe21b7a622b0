import { expect, it } from 'vitest';
import { fingerprintOf, type Values } from '../../src/credentials/values.ts';
import type { Policy } from '../../src/rotation/journal.ts';
import { Rotation } from '../../src/rotation/rotation.ts';
import { randomKey, SimulatedWorld } from './world.ts';

/* What becomes of old keys, where the service's word and its deeds differ. */

const DAY = 24 * 3_600_000;

async function rotated(policy: Policy, { retireNow = false, before = (_: SimulatedWorld) => {} } = {}): Promise<SimulatedWorld> {
  const at = new SimulatedWorld({ policy, first: randomKey() });
  before(at);
  await new Rotation(at, 'test').rotate({ acceptGap: false }, { retireNow });
  return at;
}

it('asks for no end of a key that is dead already', async () => {
  const at = await rotated('immediate', { retireNow: true });
  expect(at.calls).not.toContain('retire');
  expect(at.disk).toMatchObject({ previous: null, rotation: null });
});

it('keeps a key that the service says it ended, and takes all the same', async () => {
  const at = await rotated('multi');
  const old = at.disk.previous?.fingerprint ?? '';
  Object.assign(at.service, { retire: async () => ({ kind: 'done', value: { fingerprint: old, retired: true } }) });
  await new Rotation(at, 'test').retireNow();
  expect(at.disk).toMatchObject({ previous: null, quarantine: [{ fingerprint: old }] });
  // Once it is refused, the next rotation forgets it.
  for (const key of at.keys) if (key.fingerprint === old) key.alive = false;
  await new Rotation(at, 'test').rotate({ acceptGap: false });
  expect(at.disk.quarantine.map(({ fingerprint }) => fingerprint)).not.toContain(old);
  expect(at.log).toContainEqual(expect.objectContaining({ event: 'ERASED', from: old }));
});

it('leaves the end of a window to the service', async () => {
  const at = await rotated('grace');
  for (const key of at.keys) key.until = null;
  at.clock += 2 * DAY;
  expect(await new Rotation(at, 'test').retireDue()).toBe(false);
  expect(at.calls).not.toContain('retire');
  expect(at.disk.previous).not.toBe(null);
});

it('takes a key for alive that is known and may do nothing', async () => {
  const first = (at: SimulatedWorld): Values => ({ ...at.files });
  let old = '';
  const at = await rotated('immediate', {
    before: (world) => {
      old = fingerprintOf(first(world));
      const { whoami } = world.service;
      Object.assign(world.service, {
        whoami: async (by: Values) => {
          const said = await whoami(by);
          return fingerprintOf(by) === old && said.kind === 'refused' ? { kind: 'forbidden', detail: 'suspended' } : said;
        },
      });
    },
  });
  expect(at.disk.previous?.fingerprint).toBe(old);
});

it('keeps a key that others use: it is told, and the timer goes on', async () => {
  const at = await rotated('multi');
  const { previous, current } = at.disk;
  const { retire } = at.service;
  Object.assign(at.service, {
    retire: async () => ({ kind: 'declined', status: 409, code: 'key_in_use', detail: '2 servers send with it' }),
  });
  await expect(new Rotation(at, 'test').retireNow()).rejects.toMatchObject({
    code: 'ROTATE_IN_USE',
    message: expect.stringContaining('2 servers'),
  });
  at.disk = { ...at.disk, previous: { ...(previous as typeof previous & object), origin: 'made' } };
  const rotation = { ...(at.disk.rotation as typeof at.disk.rotation & object), retire_at: new Date(at.clock).toISOString() };
  at.disk = { ...at.disk, rotation };
  expect(await new Rotation(at, 'test').retireDue()).toBe(false);
  expect(at.told.at(-1)).toMatchObject({ level: 'warning', text: expect.stringContaining('2 servers') });
  expect(at.disk).toMatchObject({ current: { fingerprint: current?.fingerprint }, previous: { fingerprint: previous?.fingerprint } });
  Object.assign(at.service, { retire });
  expect(await new Rotation(at, 'test').retireDue()).toBe(true);
  expect(at.disk.previous).toBeNull();
});
