import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fingerprintOf, type Values } from '../../src/credentials/values.ts';
import type { KeyService } from '../../src/rotation/ports.ts';
import { type Request, Rotation } from '../../src/rotation/rotation.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { type Options, randomKey, SimulatedWorld } from './world.ts';

/* What services of other minds answer, and what of it is believed. */

const world = (more: Partial<Options> = {}) => new SimulatedWorld({ policy: 'grace', first: randomKey(), ...more });
const request = (more: Partial<Request> = {}): Request => ({ acceptGap: false, ...more });
const WINDOW = '2026-01-02T00:00:00.000Z';

/** Has the service answer one of its calls otherwise: `change` is given what it would have said. */
function answering<Name extends keyof KeyService>(
  at: SimulatedWorld,
  name: Name,
  change: (said: Awaited<ReturnType<KeyService[Name]>>) => unknown,
): void {
  const ask = at.service[name] as (...args: unknown[]) => Promise<never>;
  Object.assign(at.service, { [name]: async (...args: unknown[]) => change(await ask(...args)) });
}

async function rotate(at: SimulatedWorld, what = request()): Promise<string> {
  try {
    await new Rotation(at, 'test').rotate(what);
    return 'done';
  } catch (error) {
    if (error instanceof ScoutError) return `${error.code} ${error.message}`;
    throw error;
  }
}

const done =
  <T extends { kind: string }>(change: object) =>
  (said: T) =>
    said.kind === 'done' ? { ...said, value: { ...(said as unknown as { value: object }).value, ...change } } : said;

describe('a service that names another key than it was sent', () => {
  it.each([['register'], ['mint']] as const)('in its answer to %s is no key service', async (call) => {
    const at = world({ abilities: [call] });
    const before = { ...at.files };
    answering(at, call, done({ fingerprint: '0123456789ab' }));
    expect(await rotate(at)).toMatch(/^ROTATE_UNDECIDED .*INTENT.*fingerprint 0123456789ab, and it has [0-9a-f]{12}/);
    expect(at.files).toEqual(before);
    expect(at.disk.rotation).toMatchObject({ state: 'INTENT', problem: expect.stringContaining('0123456789ab') });
  });
});

describe('a service that refuses the key in use after its whoami took it', () => {
  it.each([
    ['multi', 'ROTATE_OLD_REFUSED'],
    ['grace', 'ROTATE_LOST'],
    ['immediate', 'ROTATE_LOST'],
  ] as const)('when asked to mint, policy %s', async (policy, expected) => {
    const at = world({ policy, abilities: ['mint'] });
    answering(at, 'mint', () => ({ kind: 'refused', detail: 'no' }));
    expect(await rotate(at, request({ acceptGap: true }))).toContain(expected);
    expect(at.disk).toMatchObject({ rotation: null, next: null });
    expect(at.log.at(-1)).toMatchObject({ event: 'ABORTED' });
  });

  it('when asked to register', async () => {
    const at = world();
    Object.assign(at.service, { register: async () => ({ kind: 'refused', detail: 'no' }) });
    expect(await rotate(at)).toContain('ROTATE_OLD_REFUSED');
    expect(at.disk).toMatchObject({ rotation: null, next: null, quarantine: [{ origin: 'made' }] });
    expect(at.log.at(-1)).toMatchObject({ event: 'ABORTED', reason: 'the service said: no' });
  });
});

describe('a new key that is refused while the old one is dead', () => {
  const dead = (at: SimulatedWorld) => {
    for (const key of at.keys) key.alive = false;
  };

  it('is kept, where the service had registered it: nothing is proved by a service that takes no key at all', async () => {
    const at = world();
    answering(at, 'register', (said) => {
      dead(at);
      return said;
    });
    expect(await rotate(at)).toMatch(/^ROTATE_UNDECIDED .*STAGED/);
    expect(at.disk).toMatchObject({ rotation: { state: 'STAGED' }, next: { origin: 'made' }, quarantine: [] });
  });

  it('is set aside, where it was given and has been taken a moment before', async () => {
    const at = world();
    const given = randomKey();
    dead(at);
    at.keys.push({ fingerprint: fingerprintOf(given), alive: true, slot: 'current', until: null });
    answering(at, 'whoami', (said) => {
      if (said.kind === 'accepted') dead(at);
      return said;
    });
    expect(await rotate(at, request({ source: 'pasted', pasted: given }))).toContain('ROTATE_NEW_REFUSED');
    expect(at.disk).toMatchObject({ rotation: null, next: null, quarantine: [{ origin: 'pasted' }] });
  });
});

describe('when the old key ends', () => {
  it('is told by the answer to the registration', async () => {
    const at = world();
    answering(at, 'prove', ({ proof, problems }) => ({ proof: { ...proof, previous_key_valid_until: null }, problems }));
    expect(await rotate(at)).toBe('done');
    expect(at.disk).toMatchObject({ rotation: { retire_at: WINDOW }, previous: { valid_until: WINDOW } });
  });

  it('is told by the proof, where that answer was lost', async () => {
    const at = world();
    answering(at, 'register', done({ previous_key_valid_until: null }));
    expect(await rotate(at)).toBe('done');
    expect(at.disk).toMatchObject({ rotation: { retire_at: WINDOW }, previous: { valid_until: WINDOW } });
  });

  it('comes with the place that it gives back to the one before', async () => {
    const at = world();
    expect(await rotate(at)).toBe('done');
    const later = at.disk.current?.fingerprint;
    expect(await rotate(at, request({ source: 'rollback' }))).toBe('done');
    expect(at.disk).toMatchObject({ current: { valid_until: null }, previous: { fingerprint: later, valid_until: WINDOW } });
    expect(at.disk.rotation).toMatchObject({ state: 'RETIRING', retire_at: WINDOW });
  });

  it('is not when the key that was gone back to does', async () => {
    const at = world();
    expect(await rotate(at)).toBe('done');
    // A service that gives no key its place back.
    Object.assign(at.service, { register: async () => ({ kind: 'declined', status: 409, code: 'key_exists', detail: 'known' }) });
    const later = at.disk.current?.fingerprint;
    expect(await rotate(at, request({ source: 'rollback' }))).toBe('done');
    // The older key keeps its window, and the later one has none of its own.
    expect(at.disk).toMatchObject({ current: { valid_until: WINDOW }, previous: { fingerprint: later, valid_until: null } });
    expect(at.disk.rotation).toMatchObject({ state: 'RETIRING', retire_at: null });
  });
});

describe('a key of somebody else', () => {
  const pasted = async (change: object): Promise<{ at: SimulatedWorld; found: string; given: Values }> => {
    const at = world({ policy: 'multi' });
    const given = randomKey();
    at.keys.push({ fingerprint: fingerprintOf(given), alive: true, slot: 'current', until: null });
    answering(at, 'prove', ({ proof, problems }) => ({ proof: { ...proof, ...change }, problems }));
    return { at, found: await rotate(at, request({ source: 'pasted', pasted: given })), given };
  };

  it.each([
    ['server', { server: { id: 'server-2', name: 'db-1' } }, /db-1 \(server-2\).*server-1/],
    ['service', { service_id: 'service-2' }, /web-1 \(server-1\).*of the service service-1/],
    ['organisation, of no server', { server: undefined }, /scout-hub \(service-1\).*server-1/],
  ])('of another %s is not taken', async (_, change, told) => {
    const { at, found, given } = await pasted(change);
    expect(found).toMatch(/^ROTATE_OTHER_SERVER /);
    expect(found).toMatch(told);
    expect(at.files).not.toEqual(given);
    // Kept, it might be sent one day: as that other one.
    expect(at.disk).toMatchObject({ rotation: null, next: null, quarantine: [] });
  });

  it('is told by its whoami before anything is written', async () => {
    const at = world({ policy: 'multi' });
    const given = randomKey();
    at.keys.push({ fingerprint: fingerprintOf(given), alive: true, slot: 'current', until: null });
    const { whoami } = at.service;
    Object.assign(at.service, {
      whoami: async (by: Values) => {
        const said = await whoami(by);
        const other = { id: 'server-2', name: 'db-1', policy: 'multi' as const };
        return said.kind === 'accepted' && by['api.key'] === given['api.key']
          ? { ...said, whoami: { ...said.whoami, server: other } }
          : said;
      },
    });
    const before = structuredClone(at.disk);
    expect(await rotate(at, request({ source: 'pasted', pasted: given }))).toMatch(/^ROTATE_OTHER_SERVER .*db-1/);
    expect([at.disk, at.log]).toEqual([before, []]);
  });

  it('that was given and not proved is kept, and not sent', async () => {
    const at = world({ policy: 'immediate' });
    const [wrong, right] = [randomKey(), randomKey()];
    const none = new ScoutError('SERVICE_UNREACHABLE', { endpoint: at.endpoint, detail: 'no answer' });
    const { prove } = at.service;
    for (const given of [wrong, right]) at.keys.push({ fingerprint: fingerprintOf(given), alive: true, slot: 'current', until: null });
    Object.assign(at.service, { prove: async () => ({ proof: { ok: false, endpoint: '', steps: [] }, problems: [none.problem] }) });
    expect(await rotate(at, request({ source: 'pasted', pasted: wrong }))).toContain('ROTATE_UNDECIDED');
    Object.assign(at.service, { prove });
    expect(await rotate(at, request({ source: 'pasted', pasted: right }))).toBe('done');
    expect(at.disk.quarantine).toMatchObject([{ fingerprint: fingerprintOf(wrong), unproved: true }]);
  });

  it('is not taken where the service has told whose a key is, and no longer does', async () => {
    const { at, found } = await pasted({ service_id: undefined, server: undefined });
    expect(found).toMatch(/^ROTATE_UNDECIDED .*STAGED.*whose/);
    expect(at.disk.rotation?.state).toBe('STAGED');
  });

  it('cannot be told from ours where the service names none', async () => {
    const at = world({ policy: 'multi' });
    const given = randomKey();
    at.keys.push({ fingerprint: fingerprintOf(given), alive: true, slot: 'current', until: null });
    const none = new ScoutError('SERVICE_UNEXPECTED', { endpoint: at.endpoint, detail: 'there is no whoami' });
    Object.assign(at.service, { whoami: async () => Promise.reject(none) });
    answering(at, 'prove', ({ proof, problems }) => ({ proof: { ...proof, service_id: undefined, server: undefined }, problems }));
    expect(await rotate(at, request({ source: 'pasted', pasted: given }))).toBe('done');
    expect(at.files).toEqual(given);
  });
});

describe('a key pair', () => {
  const pair = (more: Values = {}): Values => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const text = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
    return { 'api.private_key': text, 'api.credential_id': 'one', ...more };
  };

  it.each([
    ['stays without a key id', {}, undefined],
    ['has its key id replaced', { 'api.kid': 'old' }, 'kid'],
  ])('%s', async (_, more, expected) => {
    const at = world({ policy: 'multi', first: pair(more) });
    expect(await rotate(at)).toBe('done');
    expect(at.files['api.kid']).toBe(expected);
  });
});

it('asks once more where an answer was lost', async () => {
  const at = world();
  const { register } = at.service;
  let asked = 0;
  Object.assign(at.service, {
    register: async (...args: Parameters<typeof register>) => {
      const said = await register(...args);
      if (++asked === 1) throw new ScoutError('SERVICE_UNREACHABLE', { endpoint: at.endpoint, detail: 'no answer' });
      return said;
    },
  });
  expect([await rotate(at), asked]).toEqual(['done', 2]);
});

it('holds the agent back anew for the second time that it asks a slow service', async () => {
  const at = world({ policy: 'immediate' });
  const { register } = at.service;
  let asked = 0;
  Object.assign(at.service, {
    register: async (...args: Parameters<typeof register>) => {
      if (++asked > 1) return register(...args);
      // It was not heard, and that took until the hold lapsed.
      at.held = false;
      throw new ScoutError('SERVICE_UNREACHABLE', { endpoint: at.endpoint, detail: 'no answer in time' });
    },
  });
  expect([await rotate(at), asked, at.refused, at.held]).toEqual(['done', 2, 0, false]);
});

it('waits for an agent that has not taken the key up', async () => {
  const at = world();
  Object.assign(at.agent, { adopt: async () => ({ kind: 'pending', detail: 'it reads slowly' }) });
  expect(await rotate(at)).toMatch(/^ROTATE_UNDECIDED .*COMMITTED.*it reads slowly/);
  expect(at.disk.rotation?.state).toBe('COMMITTED');
});

it('says what the clock is off by, and goes on', async () => {
  const at = world();
  const text = 'this clock is 3600 s behind the service';
  answering(at, 'prove', ({ proof }) => ({ proof, problems: [{ code: 'CLOCK_SKEW', severity: 'warning', message: text, remedy: '' }] }));
  expect(await rotate(at)).toBe('done');
  expect(at.told).toContainEqual({ state: 'STAGED', text, level: 'warning' });
});

it('begins another rotation where the service never learned the key of one that was cut short', async () => {
  const at = world();
  const register = at.service.register;
  // It said that it had registered it.
  Object.assign(at.service, {
    register: async (_: Values, key: { sha256: string }) => ({
      kind: 'done',
      value: { fingerprint: key.sha256.slice(0, 12), slot: 'current', previous_key_valid_until: null },
    }),
  });
  const { prove } = at.service;
  const away = new ScoutError('SERVICE_UNREACHABLE', { endpoint: at.endpoint, detail: 'no answer' }).problem;
  Object.assign(at.service, { prove: async () => ({ proof: { ok: false, endpoint: at.endpoint, steps: [] }, problems: [away] }) });
  expect(await rotate(at)).toContain('ROTATE_UNDECIDED');
  expect(at.disk.rotation?.state).toBe('STAGED');
  const never = at.disk.next?.fingerprint;
  Object.assign(at.service, { register, prove });
  expect(await rotate(at)).toBe('done');
  expect(at.told).toContainEqual(expect.objectContaining({ state: 'ABORTED', level: 'warning' }));
  expect(fingerprintOf(at.files)).not.toBe(never);
  expect(at.alive()).toContain(fingerprintOf(at.files));
});
