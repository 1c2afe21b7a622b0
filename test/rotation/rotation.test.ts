import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fingerprintOf, type Values } from '../../src/credentials/values.ts';
import type { Policy, Source } from '../../src/rotation/journal.ts';
import { type Request, Rotation } from '../../src/rotation/rotation.ts';
import { faultOf } from '../../src/support/chain.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { Crash, type Fault, type Options, randomKey, SimulatedWorld } from './world.ts';

const POLICIES: Policy[] = ['immediate', 'grace', 'multi'];
const ACTOR = 'test';
const request = (source?: Source, more: Partial<Request> = {}): Request => ({ ...(source && { source }), acceptGap: false, ...more });
const world = (policy: Policy, more: Partial<Options> = {}) => new SimulatedWorld({ policy, first: randomKey(), ...more });
const rotate = (at: SimulatedWorld, what: Request, retireNow = false) => new Rotation(at, ACTOR).rotate(what, { retireNow });
const code = async (work: Promise<unknown>) =>
  work.then(() => 'done').catch((error) => (error instanceof ScoutError ? error.code : String(error)));
const states = (at: SimulatedWorld) => at.log.map(({ event }) => event);

/** An operator makes a key at the service. */
function byHand(at: SimulatedWorld): Values {
  const values = randomKey();
  at.keys.push({ fingerprint: fingerprintOf(values), alive: true, slot: 'current', until: null });
  at.atHand.push(fingerprintOf(values));
  return values;
}

describe('a rotation goes through its states', () => {
  it.each(POLICIES)('with a key made here, policy %s', async (policy) => {
    const at = world(policy);
    const first = fingerprintOf(at.files);
    const done = await rotate(at, request());
    expect(done).toMatchObject({ from: first, to: fingerprintOf(at.files), source: 'made', policy });
    expect(
      states(at)
        .filter((event) => event !== 'FOUND')
        .slice(0, 5),
    ).toEqual(['INTENT', 'STAGED', 'PROVEN', 'COMMITTED', 'ADOPTED']);
    expect(at.agentUses).toBe(done.to);
    expect(at.refused).toBe(0);
    expect(at.disk.rotation?.state ?? 'none').toBe(policy === 'immediate' ? 'none' : 'RETIRING');
    expect(at.alive()).toEqual(policy === 'immediate' ? [done.to] : [first, done.to]);
    expect(done.previous).toEqual(
      policy === 'immediate' ? null : { fingerprint: first, valid_until: policy === 'grace' ? '2026-01-02T00:00:00.000Z' : null },
    );
  });

  it('holds the agent back where the old key dies at once, and only there', async () => {
    for (const policy of POLICIES) {
      const at = world(policy);
      await rotate(at, request());
      expect(at.calls.includes('hold')).toBe(policy === 'immediate');
      expect(at.held).toBe(false);
    }
  });

  it.each(['grace', 'multi'] as const)('with a minted key, policy %s', async (policy) => {
    const at = world(policy, { abilities: ['mint'] });
    expect(await rotate(at, request())).toMatchObject({ source: 'minted', to: fingerprintOf(at.files) });
  });

  it('does not ask for a key that could be lost on the way, unless told', async () => {
    const at = world('immediate', { abilities: ['mint'] });
    expect(await code(rotate(at, request()))).toBe('ROTATE_GAP');
    expect(at.disk.rotation).toBeNull();
    expect(await rotate(at, request(undefined, { acceptGap: true }))).toMatchObject({ source: 'minted' });
    expect(at.refused).toBe(0);
  });

  it('with a key that was pasted, after the old one is dead', async () => {
    const at = world('immediate');
    for (const key of at.keys) key.alive = false;
    const pasted = byHand(at);
    expect(await rotate(at, request('pasted', { pasted }))).toMatchObject({ to: fingerprintOf(pasted), previous: null });
    expect(at.agentUses).toBe(fingerprintOf(pasted));
  });

  it('with a pair, whose id comes from the service', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const first = {
      'api.private_key': privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url'),
      'api.credential_id': 'one',
    };
    const at = world('multi', { first });
    const done = await rotate(at, request('keypair'));
    expect(done).toMatchObject({ source: 'keypair', policy: 'multi', from: fingerprintOf(first) });
    expect(at.files['api.credential_id']).toBe(at.keys.at(-1)?.credentialId);
    expect(at.disk.rotation?.retire_at).toBeNull();
  });
});

describe('what speaks against it', () => {
  it.each([
    [
      'pasted, refused by the service',
      async (at: SimulatedWorld) => rotate(at, request('pasted', { pasted: randomKey() })),
      'ROTATE_NEW_REFUSED',
    ],
    ['pasted, the same as now', async (at: SimulatedWorld) => rotate(at, request('pasted', { pasted: at.files })), 'ROTATE_SAME'],
    ['--keypair for an API key', async (at: SimulatedWorld) => rotate(at, request('keypair')), 'ROTATE_SOURCE'],
    ['nothing to go back to', async (at: SimulatedWorld) => rotate(at, request('rollback')), 'ROTATE_NO_PREVIOUS'],
    ['nothing to retire', async (at: SimulatedWorld) => new Rotation(at, ACTOR).retireNow(), 'ROTATE_NOTHING_TO_RETIRE'],
  ])('%s', async (_, work, expected) => {
    const at = world('grace');
    const before = { ...at.files };
    expect(await code(work(at))).toBe(expected);
    expect(at.files).toEqual(before);
    expect(at.disk.rotation).toBeNull();
  });

  it('a service that makes no keys for agents', async () => {
    expect(await code(rotate(world('grace', { abilities: [] }), request()))).toBe('ROTATE_NO_SOURCE');
  });

  it('a dead key cannot ask for another', async () => {
    const at = world('grace');
    for (const key of at.keys) key.alive = false;
    expect(await code(rotate(at, request()))).toBe('ROTATE_OLD_REFUSED');
  });
});

describe('afterwards', () => {
  it('goes back to the previous key', async () => {
    const at = world('multi');
    const first = fingerprintOf(at.files);
    const { to } = await rotate(at, request());
    expect(await rotate(at, request('rollback'))).toMatchObject({ from: to, to: first });
    expect([fingerprintOf(at.files), at.agentUses]).toEqual([first, first]);
  });

  it('retires the old key when told, and knows it dead', async () => {
    const at = world('multi');
    const first = fingerprintOf(at.files);
    const { to } = await rotate(at, request());
    expect(await new Rotation(at, ACTOR).retireNow()).toEqual({ fingerprint: first });
    expect(at.alive()).toEqual([to]);
    expect(at.disk.previous).toBeNull();
    const again = await rotate(at, request(), true);
    expect(at.alive()).toEqual([again.to]);
  });

  it('retires by the timer only what this host made, once its time has come', async () => {
    const at = world('multi');
    const first = fingerprintOf(at.files);
    await rotate(at, request());
    at.clock += 25 * 3_600_000;
    expect(await new Rotation(at, ACTOR).retireDue()).toBe(false);
    const second = await rotate(at, request());
    expect(at.alive()).toContain(first);
    expect(await new Rotation(at, ACTOR).retireDue()).toBe(false);
    at.clock += 25 * 3_600_000;
    expect(await new Rotation(at, ACTOR).retireDue()).toBe(true);
    expect(at.alive()).toEqual([first, second.to]);
  });

  it('forgets a key whose window is over', async () => {
    const at = world('grace');
    await rotate(at, request());
    at.clock += 23 * 3_600_000;
    expect(await new Rotation(at, ACTOR).retireDue()).toBe(false);
    at.clock += 2 * 3_600_000;
    expect(await new Rotation(at, ACTOR).retireDue()).toBe(true);
    expect(at.disk.previous).toBeNull();
  });

  it('never has more than two keys of its own alive', async () => {
    for (const policy of POLICIES) {
      const at = world(policy);
      for (let count = 0; count < 6; count++) await rotate(at, request());
      const own = at.alive().filter((fingerprint) => fingerprint !== at.keys[0]?.fingerprint);
      expect(own.length).toBeLessThanOrEqual(2);
    }
  });
});

describe('the operator wins', () => {
  it.each(['write STAGED', 'write PROVEN', 'replace'])('when the configuration is given another key before %s', async (moment) => {
    const at = world('grace');
    const operators = byHand(at);
    const before = at.store.write;
    const replace = at.configured.replace;
    Object.assign(at.store, {
      write: (keyring: Parameters<typeof before>[0]) => {
        if (`write ${keyring.rotation?.state}` === moment) at.files = { ...operators };
        before(keyring);
      },
    });
    Object.assign(at.configured, {
      replace: (...args: Parameters<typeof replace>) => {
        if (moment === 'replace') at.files = { ...operators };
        return replace(...args);
      },
    });
    expect(await code(rotate(at, request()))).toBe('ROTATE_OVERTAKEN');
    expect(at.files).toEqual(operators);
    expect(at.disk).toMatchObject({ rotation: null, current: { fingerprint: fingerprintOf(operators) } });
    for (const fingerprint of at.alive()) expect(at.reachable()).toContain(fingerprint);
  });

  it('when it was changed between two rotations', async () => {
    const at = world('multi');
    await rotate(at, request());
    const operators = byHand(at);
    at.files = { ...operators };
    const done = await rotate(at, request());
    expect(done.from).toBe(fingerprintOf(operators));
    for (const fingerprint of at.alive()) expect(at.reachable()).toContain(fingerprint);
  });

  it('when another key is given while a rotation waits for the service', async () => {
    const at = world('grace');
    at.failAt(6, 'unheard');
    for (let nth = 7; nth < 20; nth++) at.failAt(nth, 'unheard');
    expect(await code(rotate(at, request()))).toBe('ROTATE_UNDECIDED');
    at.forgetFaults();
    // The service had heard after all.
    const [made] = [at.disk.next?.fingerprint ?? ''];
    at.keys.push({ fingerprint: made, alive: true, slot: 'previous', until: null });
    const pasted = byHand(at);
    expect(await rotate(at, request('pasted', { pasted }))).toMatchObject({ source: 'pasted', to: fingerprintOf(pasted) });
    expect(at.reachable()).toContain(made);
  });
});

/** The ways to begin, with what the service must be for it. */
const WAYS: { name: string; options: Partial<Options>; request: Request; given?: boolean }[] = [
  { name: 'made', options: {}, request: request('made') },
  { name: 'minted', options: {}, request: request('minted', { acceptGap: true }) },
  { name: 'pasted', options: {}, request: request('pasted'), given: true },
];
const FAULTS: Fault[] = ['crash-before', 'crash-after', 'unheard', 'lost'];

/**
 * Every call of a rotation goes wrong in every way, and then every call of the recovery: at each moment a key that the
 * service takes is on the host, every key that is alive is known to it, and the end is a good one.
 */
describe.each(POLICIES)('whatever goes wrong, policy %s', (policy) => {
  it.each(WAYS)('$name', { timeout: 180_000 }, async ({ options, request: asked, given }) => {
    const gap = policy === 'immediate' && asked.source === 'minted';
    for (const agentRuns of [true, false]) {
      const start = () => {
        const at = world(policy, { ...options, agentRuns });
        return { at, asked: given ? { ...asked, pasted: byHand(at) } : asked };
      };
      const whole = start();
      await rotate(whole.at, whole.asked);
      for (let nth = 1; nth <= whole.at.count; nth++)
        for (const fault of FAULTS) {
          const probe = start();
          await attempt(probe.at, probe.asked, nth, fault);
          invariants(probe.at, gap);
          const length = await recoveryCalls(probe.at, probe.asked);
          // Where no agent runs there is less to go wrong: one fault does.
          if (!agentRuns) continue;
          for (let second = 1; second <= length; second++)
            for (const again of FAULTS) {
              const { at, asked: once } = start();
              await attempt(at, once, nth, fault);
              await attempt(at, once, second, again);
              invariants(at, gap);
              await finish(at, once);
            }
        }
    }
  });
});

async function attempt(at: SimulatedWorld, what: Request, nth: number, fault: Fault): Promise<void> {
  at.failAt(nth, fault);
  try {
    await rotate(at, what);
  } catch (error) {
    if (!(error instanceof Crash) && !(error instanceof ScoutError)) throw error;
    at.held = false;
  }
  at.forgetFaults();
}

async function recoveryCalls(at: SimulatedWorld, what: Request): Promise<number> {
  const before = at.count;
  await finish(at, what);
  return at.count - before;
}

/** One more call, without faults, is all that a recovery takes. */
async function finish(at: SimulatedWorld, what: Request): Promise<void> {
  const result = await code(rotate(at, what));
  check(result === 'done' || (what.pasted !== undefined && result === 'ROTATE_SAME'), `the recovery ends with ${result}`);
  check(['none', 'RETIRING'].includes(at.disk.rotation?.state ?? 'none'), 'the rotation does not end');
  const configured = fingerprintOf(at.files);
  check(at.alive().includes(configured), 'the configured key is dead');
  check(at.disk.current?.fingerprint === configured, 'the keyring does not hold what the configuration does');
  check(at.disk.next === null, 'a next key was left');
  if (at.options.agentRuns) check(at.beat(), 'no heartbeat is accepted');
  invariants(at, false);
}

function invariants(at: SimulatedWorld, gap: boolean): void {
  const alive = at.alive();
  const reachable = at.reachable();
  // A key minted by a service that ended the old one may be on its way: the operator accepted that.
  if (!gap || at.disk.rotation?.state !== 'INTENT')
    check(
      reachable.some((fingerprint) => alive.includes(fingerprint)),
      'no key on this host works',
    );
  // What was minted and not yet answered is known by its Idempotency-Key alone; what is to be pasted, by the operator.
  const onItsWay = at.disk.rotation?.source === 'minted' && at.disk.rotation.state === 'INTENT';
  const known = [...reachable, ...at.atHand];
  if (!onItsWay)
    check(
      alive.every((fingerprint) => known.includes(fingerprint)),
      'a key that works is known to nobody',
    );
  at.log.forEach((line, index) => {
    check(faultOf(line, at.log[index - 1] ?? null) === undefined, 'the audit log is broken');
  });
}

/** As `expect` would, but a hundred times quicker: there are hundreds of thousands of these. */
function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
