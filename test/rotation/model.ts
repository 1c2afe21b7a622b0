import type { Policy } from '../../src/rotation/journal.ts';

/*
 * What a rotation is, without any of its code: a journal, a service, a configuration, an agent, and effects that
 * change one of them each. A process may die after any effect, as often as it likes; the next one begins at the
 * journal. `explore` walks through every state that can be reached; model.test.ts checks what must hold in each, and
 * then has the code walk the same ways.
 */

type Journal = 'none' | 'INTENT' | 'STAGED' | 'PROVEN' | 'COMMITTED' | 'ADOPTED' | 'RETIRING';
type Key = 'old' | 'new';

/** Everything that outlives a process. */
export interface Durable {
  journal: Journal;
  /** Keys that the service takes. */
  alive: Key[];
  configured: Key;
  /** Keys in the keyring, whatever their slot. */
  kept: Key[];
  /** The key that the agent sends with, as far as the rotation has told it. */
  told: Key;
}

/** A moment in the life of a process: what is done, and what of this state's effects is still to come. */
export interface Moment {
  durable: Durable;
  /** Effects of the journal's state that this process has carried out. */
  done: string[];
  /** Whether this process wrote the journal's state itself. */
  fresh: boolean;
  /** Whether the agent is kept from sending. */
  held: boolean;
}

const START: Moment = {
  durable: { journal: 'none', alive: ['old'], configured: 'old', kept: ['old'], told: 'old' },
  done: [],
  fresh: true,
  held: false,
};

/** What a process does next at a moment; undefined when the rotation is over. */
export function nextEffect(policy: Policy, { durable, done, fresh }: Moment): string | undefined {
  const { journal, alive, configured } = durable;
  switch (journal) {
    case 'none':
      return durable.alive.includes('new') ? undefined : 'write INTENT';
    case 'INTENT':
      if (policy === 'immediate' && !done.includes('hold')) return 'hold';
      // Who did not write the intent itself asks first whether the service has heard of it.
      if (done.includes('register') || (!fresh && alive.includes('new'))) return 'write STAGED';
      return 'register';
    case 'STAGED':
      return done.includes('prove') ? 'write PROVEN' : 'prove';
    case 'PROVEN':
      return configured === 'new' ? 'write COMMITTED' : 'replace';
    case 'COMMITTED':
      return done.includes('adopt') ? 'write ADOPTED' : 'adopt';
    case 'ADOPTED':
      return alive.includes('old') ? 'write RETIRING' : 'write none';
    case 'RETIRING':
      return undefined;
  }
}

/** The moment after an effect. */
export function after(policy: Policy, moment: Moment, effect: string): Moment {
  const { durable, done } = moment;
  const [verb, state] = effect.split(' ') as [string, Journal | undefined];
  if (verb === 'write') {
    const kept: Key[] = state === 'INTENT' ? ['old', 'new'] : state === 'none' ? ['new'] : durable.kept;
    return { ...moment, durable: { ...durable, journal: state as Journal, kept }, done: [], fresh: true };
  }
  const next = { ...moment, done: [...done, effect] };
  switch (verb) {
    case 'hold':
      return { ...next, held: true };
    case 'register':
      return { ...next, durable: { ...durable, alive: policy === 'immediate' ? ['new'] : ['old', 'new'] } };
    case 'replace':
      return { ...next, durable: { ...durable, configured: 'new' } };
    case 'adopt':
      return { ...next, held: false, durable: { ...durable, told: 'new' } };
    default:
      return next;
  }
}

/** The process dies: what is durable stays, a hold lapses. */
export const crash = ({ durable }: Moment): Moment => ({ durable, done: [], fresh: false, held: false });

/** Every moment that can be reached, each with the shortest way to it (effects, and `crash`). */
export function explore(policy: Policy): { moment: Moment; way: string[] }[] {
  const seen = new Map<string, { moment: Moment; way: string[] }>();
  const queue = [{ moment: START, way: [] as string[] }];
  for (let found = queue.shift(); found; found = queue.shift()) {
    const name = JSON.stringify(found.moment);
    if (seen.has(name)) continue;
    seen.set(name, found);
    const { moment, way } = found;
    const effect = nextEffect(policy, moment);
    if (effect === undefined) continue;
    queue.push({ moment: after(policy, moment, effect), way: [...way, effect] });
    if (way.length > 0) queue.push({ moment: crash(moment), way: [...way, 'crash'] });
  }
  return [...seen.values()];
}
