import { describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/credentials/values.ts';
import { Rotation } from '../../src/rotation/rotation.ts';
import { after, crash, type Durable, explore, type Moment, nextEffect } from './model.ts';
import { Crash, randomKey, SimulatedWorld } from './world.ts';

const EFFECTS = /^(write (INTENT|STAGED|PROVEN|COMMITTED|ADOPTED|RETIRING|none)|hold|register|prove|replace|adopt)$/;

describe.each(['immediate', 'grace', 'multi'] as const)('the model, policy %s', (policy) => {
  const all = explore(policy);

  it('is explored to its end', () => {
    expect(all.length).toBeGreaterThan(20);
    expect(new Set(all.map(({ moment }) => moment.durable.journal)).size).toBe(policy === 'immediate' ? 6 : 7);
  });

  it('has a key that works on the host at every moment', () => {
    for (const { moment, way } of all) {
      const { alive, kept, configured } = moment.durable;
      expect([way, alive.some((key) => key === configured || kept.includes(key))]).toEqual([way, true]);
    }
  });

  it('has no key at the service that the host does not know', () => {
    for (const { moment, way } of all) {
      const { alive, kept, configured } = moment.durable;
      expect([way, alive.every((key) => key === configured || kept.includes(key))]).toEqual([way, true]);
    }
  });

  it('sends with a dead key only after a crash', () => {
    const wrong = all.filter(
      ({ moment: { durable, held }, way }) => !way.includes('crash') && !held && !durable.alive.includes(durable.told),
    );
    expect(wrong).toEqual([]);
  });

  it('comes to a good end from everywhere', () => {
    for (const { moment, way } of all) {
      let at: Moment = crash(moment);
      for (let effect = nextEffect(policy, at); effect !== undefined; effect = nextEffect(policy, at)) at = after(policy, at, effect);
      const { configured, told } = at.durable;
      expect([way, configured, told]).toEqual([way, 'new', 'new']);
    }
  });

  it('is what the code does: each way through it, walked', async () => {
    for (const { moment, way } of all) {
      const walked = await walk(policy, way);
      expect([way, walked]).toEqual([way, { way, durable: moment.durable }]);
    }
  });
});

/** Has the code go a way: it dies where the way says, and at its end. What it did, and what is left. */
async function walk(policy: 'immediate' | 'grace' | 'multi', way: string[]): Promise<{ way: string[]; durable: Durable }> {
  const at = new SimulatedWorld({ policy, first: randomKey() });
  const old = fingerprintOf(at.files);
  // The first key is in the keyring before the story begins.
  await new Rotation(at, 'test').age();
  const went: string[] = [];
  for (const life of lives(way)) {
    let effects = 0;
    if (life.length > 0) {
      at.crashWhen = (call) => {
        if (!EFFECTS.test(call)) return false;
        went.push(call);
        return ++effects === life.length;
      };
      await new Rotation(at, 'test').rotate({ acceptGap: false }).catch((error) => {
        if (!(error instanceof Crash)) throw error;
      });
    }
    at.held = false;
    at.crashWhen = () => false;
    went.push('crash');
  }
  went.pop();
  const { current, next, previous, rotation } = at.disk;
  const name = (fingerprint: string): 'old' | 'new' => (fingerprint === old ? 'old' : 'new');
  const kept = [current, next, previous]
    .flatMap((key) => (key ? [name(key.fingerprint)] : []))
    .toSorted((one, other) => (one < other ? 1 : -1));
  const told = at.toldKey;
  return {
    way: went,
    durable: {
      journal: rotation?.state ?? 'none',
      alive: at.alive().map(name),
      configured: name(fingerprintOf(at.files)),
      kept,
      told: name(told),
    },
  };
}

/** A way as the lives of its processes: the effects of each, up to its crash. */
function lives(way: string[]): string[][] {
  const parts: string[][] = [[]];
  for (const step of way) {
    if (step === 'crash') parts.push([]);
    else parts.at(-1)?.push(step);
  }
  return parts;
}
