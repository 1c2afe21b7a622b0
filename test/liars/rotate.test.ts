import { describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import type { Values } from '../../src/credentials/values.ts';
import { fingerprintOf } from '../../src/credentials/values.ts';
import type { World } from '../../src/rotation/ports.ts';
import { Rotation } from '../../src/rotation/rotation.ts';
import { createKeyService } from '../../src/rotation/service.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { freshKey } from '../config/scratch.ts';
import { authority, serve } from '../delivery/tls.ts';
import { LIARS, TrueService } from '../helpers/liars.ts';
import { SimulatedWorld } from '../rotation/world.ts';

/*
 * Whole rotations, over real TLS, with a liar before the service: the configuration stays as it is, or holds a key that
 * the true service takes; once the liar is gone, the next rotation ends well.
 */

const ca = authority();
const ROUTES = [/./, /\/whoami$/, /\/register$/, /\/mint$/, /\/retire$/];

/** A rotation to its end: `done`, or what stopped it. */
async function rotate(world: World, source: 'made' | 'minted'): Promise<string> {
  try {
    await new Rotation(world, 'tester').rotate({ source, acceptGap: true }, { retireNow: true });
    return 'done';
  } catch (error) {
    if (error instanceof ScoutError) return `${error.code} ${error.message}`;
    throw error;
  }
}

describe.each(LIARS)('a rotation through $name', (liar) => {
  const cases = (['made', 'minted'] as const).flatMap((source) =>
    (['multi', 'immediate'] as const).flatMap((policy) => ROUTES.map((route) => ({ source, policy, route }))),
  );

  it.each(cases)('$source, $policy, lies at $route', async ({ source, policy, route }) => {
    const first: Values = { 'api.key': freshKey() };
    const truth = new TrueService(first['api.key']);
    truth.policy = policy;
    let lying = true;
    const lie = liar.listen(truth, route);
    const { endpoint } = await serve(ca.issue(), (request, response) => (lying ? lie : truth.listener)(request, response));
    const config = configSchema.parse({ api: { endpoint, key: first['api.key'], timeout: '5s' }, tls: { ca_file: ca.file } });
    const host = new SimulatedWorld({ policy, first, agentRuns: false });
    const { configured, store, agent, tell } = host;
    const world: World = { service: createKeyService(config, {}), configured, store, agent, tell, now: Date.now, endpoint };

    const found = await rotate(world, source);
    const isUntouched = host.files['api.key'] === first['api.key'];
    expect(isUntouched || truth.accepts(host.files['api.key'] ?? ''), found).toBe(true);
    // The gap that --accept-gap accepts: the answer with the only key that is good is asked for again, below.
    const isGap = source === 'minted' && policy === 'immediate' && /may have been carried out/.test(found);
    const isHere = host.reachable().some((fingerprint) => truth.alive.has(fingerprint));
    expect(isHere || isGap, `a key that works is on this host (${found})`).toBe(true);
    if (found === 'done') expect(truth.accepts(host.files['api.key'] ?? '')).toBe(true);
    expect(found).not.toContain(first['api.key']);

    lying = false;
    expect(await rotate(world, source)).toBe('done');
    expect(truth.accepts(host.files['api.key'] ?? '')).toBe(true);
    expect(fingerprintOf(host.files)).not.toBe(fingerprintOf(first));
  });
});
