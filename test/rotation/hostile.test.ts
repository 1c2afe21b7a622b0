import { describe, expect, it } from 'vitest';
import { fingerprintOf, type Values } from '../../src/credentials/values.ts';
import type { Policy } from '../../src/rotation/journal.ts';
import { type Request, Rotation } from '../../src/rotation/rotation.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { type Options, randomKey, SimulatedWorld } from './world.ts';

/* What an unlucky operator, or one of ill will, would try. */

const POLICIES: Policy[] = ['immediate', 'grace', 'multi'];
const world = (policy: Policy, more: Partial<Options> = {}) => new SimulatedWorld({ policy, first: randomKey(), ...more });
const rotate = async (at: SimulatedWorld, what: Partial<Request> = {}): Promise<string> => {
  try {
    await new Rotation(at, 'test').rotate({ acceptGap: false, ...what });
    return 'done';
  } catch (error) {
    if (error instanceof ScoutError) return error.code;
    throw error;
  }
};
const byHand = (at: SimulatedWorld): Values => {
  const values = randomKey();
  at.keys.push({ fingerprint: fingerprintOf(values), alive: true, slot: 'current', until: null });
  at.atHand.push(fingerprintOf(values));
  return values;
};
const away = () => new ScoutError('SERVICE_UNREACHABLE', { endpoint: 'https://keys.test', detail: 'no answer' });

describe('an agent that does not send with the new key', () => {
  const refuses = (kind: 'refused' | 'pending', bad: () => string) => async (at: SimulatedWorld) => {
    const { adopt } = at.agent;
    Object.assign(at.agent, {
      adopt: async (fingerprint: string) => (fingerprint === bad() ? { kind, detail: 'no' } : adopt(fingerprint)),
    });
  };
  it.each([
    ['refused', 'rollback'],
    ['pending', 'rollback'],
    ['refused', 'pasted'],
    ['pending', 'pasted'],
  ] as const)('%s: keeps nobody from another (%s)', async (kind, source) => {
    for (const policy of ['grace', 'multi'] as const) {
      const at = world(policy);
      const first = fingerprintOf(at.files);
      let bad = '';
      await refuses(kind, () => bad)(at);
      Object.assign(at, {
        tell: ({ state }: { state: string }) => {
          if (state === 'INTENT') bad = at.disk.next?.fingerprint ?? bad;
        },
      });
      expect(await rotate(at)).toMatch(/ROTATE_NOT_ADOPTED|ROTATE_UNDECIDED/);
      Object.assign(at, { tell: () => {} });
      const pasted = byHand(at);
      expect([policy, await rotate(at, source === 'pasted' ? { source, pasted } : { source })]).toEqual([policy, 'done']);
      expect(fingerprintOf(at.files)).toBe(source === 'pasted' ? fingerprintOf(pasted) : first);
    }
  });
});

describe('a configuration that names another address', () => {
  /** The same host, whose keyring and configuration are `at`'s, with what answers at another address. */
  function movedFrom(at: SimulatedWorld, serviceId: string, first = randomKey()): { other: SimulatedWorld; seen: Set<string> } {
    const other = new SimulatedWorld({ policy: at.options.policy, first, serviceId });
    other.disk = structuredClone(at.disk);
    other.endpoint = `https://${serviceId}.test`;
    const seen = new Set<string>();
    for (const name of ['whoami', 'prove', 'register', 'mint', 'retire'] as const) {
      const ask = other.service[name] as (...args: unknown[]) => Promise<never>;
      const noting = (by: Values, ...rest: unknown[]) => {
        seen.add(fingerprintOf(by));
        return ask(by, ...rest);
      };
      Object.assign(other.service, { [name]: noting });
    }
    return { other, seen };
  }

  it.each(POLICIES)('of another service: that one sees none of the keys, and none is lost; policy %s', async (policy) => {
    const at = world(policy);
    for (let n = 0; n < 3; n++) expect(await rotate(at)).toBe('done');
    const theirs = at.reachable();
    const { other, seen } = movedFrom(at, 'service-2');
    for (let n = 0; n < 3; n++) expect(await rotate(other)).toBe('done');
    await new Rotation(other, 'test').retireDue();
    expect([...seen].filter((one) => theirs.includes(one))).toEqual([]);
    expect(other.reachable()).toEqual(expect.arrayContaining(at.alive()));
    // Back again, all of them are its own.
    const { other: back } = movedFrom(other, 'service-1', at.files);
    back.endpoint = at.endpoint;
    back.keys.splice(0, back.keys.length, ...at.keys);
    const foreign = other.reachable().filter((one) => !theirs.includes(one));
    expect(await rotate(back)).toBe('done');
    expect(back.disk.quarantine.filter(({ endpoint }) => endpoint === other.endpoint).map(({ fingerprint }) => fingerprint)).toEqual(
      expect.arrayContaining(foreign),
    );
    expect(back.alive().every((one) => back.reachable().includes(one))).toBe(true);
  });

  it('of another service, in the middle of a rotation: the new key stays here', async () => {
    const at = world('immediate');
    Object.assign(at.service, { prove: async () => ({ proof: { ok: false, endpoint: '', steps: [] }, problems: [away().problem] }) });
    expect(await rotate(at)).toBe('ROTATE_UNDECIDED');
    const made = at.disk.next?.fingerprint;
    const { other, seen } = movedFrom(at, 'service-2');
    expect(await rotate(other)).toBe('done');
    expect(seen).not.toContain(made);
    expect(other.disk.quarantine).toContainEqual(expect.objectContaining({ fingerprint: made, endpoint: at.endpoint }));
  });

  it('of the same service: nothing is set aside', async () => {
    const at = world('multi');
    expect(await rotate(at)).toBe('done');
    const { other } = movedFrom(at, 'service-1', at.files);
    const before = other.disk;
    await new Rotation(other, 'test').age();
    expect(other.disk).toMatchObject({ current: before.current, previous: before.previous, service: { endpoint: other.endpoint } });
    expect(other.log.at(-1)).toMatchObject({ event: 'MOVED' });
  });

  it('that does not answer: nothing is decided', async () => {
    const at = world('multi');
    expect(await rotate(at)).toBe('done');
    const { other, seen } = movedFrom(at, 'service-2');
    Object.assign(other.service, { whoami: async () => Promise.reject(away()) });
    expect(await rotate(other)).toBe('SERVICE_UNREACHABLE');
    expect([other.disk, seen.size]).toEqual([at.disk, 0]);
  });
});

it('has the service end keys of its own that it could not have ended before', async () => {
  const at = world('multi');
  expect(await rotate(at)).toBe('done');
  const { retire } = at.service;
  Object.assign(at.service, {
    retire: async () => {
      throw away();
    },
  });
  expect(await rotate(at)).toBe('done');
  expect(await rotate(at)).toBe('done');
  Object.assign(at.service, { retire });
  expect(await rotate(at)).toBe('done');
  expect(at.alive().length).toBeLessThanOrEqual(3);
});

it('takes a service that knows the key already at its word', async () => {
  const at = world('immediate');
  const { register } = at.service;
  let asked = 0;
  Object.assign(at.service, {
    register: async (...args: Parameters<typeof register>) => {
      if (++asked > 1) return { kind: 'declined', status: 409, code: 'exists', detail: 'this key is registered' };
      await register(...args);
      throw away();
    },
  });
  expect(await rotate(at)).toBe('done');
});

it('does not take a key of another server where its own could not be told at first', async () => {
  const at = world('multi');
  const { whoami, prove } = at.service;
  const given = byHand(at);
  let first = true;
  Object.assign(at.service, {
    whoami: async (by: Values) => {
      if (first) {
        first = false;
        throw new ScoutError('SERVICE_UNEXPECTED', { endpoint: at.endpoint, detail: 'a page' });
      }
      return whoami(by);
    },
    prove: async (by: Values) => {
      const { proof, problems } = await prove(by);
      return { proof: { ...proof, server: { id: 'server-2', name: 'db-1' } }, problems };
    },
  });
  expect(await rotate(at, { source: 'pasted', pasted: given })).toBe('ROTATE_OTHER_SERVER');
});
