import { ScoutError } from '../../support/errors.ts';
import type { Edit, Policy, Server, ServerKey } from '../store/store.ts';

/*
 * What each policy makes of a server's keys, as pure decisions over the rows there are: the routes and the command line
 * both decide here. Under every policy a key that was brought in is `current` and works from that instant on.
 */

/** Keys of one server, or versions of one credential, that may work at once before agents can add no more; people can. */
export const KEYS_MOST = 100;

/** What becomes of the keys; the caller adds the line of the audit trail. */
export type Change = Required<Pick<Edit<ServerKey>, 'put' | 'drop'>>;
type Ruled = Pick<Server, 'name' | 'policy' | 'graceMs'>;

/** Whether a key is let in at a time (ms). */
export function works(key: Pick<ServerKey, 'enabled' | 'validUntil'>, now: number): boolean {
  return key.enabled && !lapsed(key, now);
}

const lapsed = (key: Pick<ServerKey, 'validUntil'>, now: number): boolean => key.validUntil !== null && key.validUntil <= now;

/** The rows as they stand after a change. */
export function changed(keys: ServerKey[], { put, drop }: Change): ServerKey[] {
  const left = keys.filter((key) => !drop.includes(key.id) && !put.some((row) => row.id === key.id));
  return [...left, ...put];
}

/**
 * Brings in a new key as the current one. `asking` is the key that an agent asks with, undefined on the command line.
 * - immediate: every other key is dead at once.
 * - grace: the current key, and the one that asks, work for one more window from now; every other one is dead at once.
 *   An agent that still holds the previous key, because the answer with the current one was lost, so ends with a good
 *   key, and the one it uses has a whole window again.
 * - multi: every other key goes on working; the former current one is called `previous`.
 */
export function bringIn(server: Ruled, keys: ServerKey[], fresh: ServerKey, now: number, asking?: ServerKey): Change {
  const put: ServerKey[] = [{ ...fresh, slot: 'current' }];
  const drop: string[] = [];
  for (const key of keys) {
    const until = goesOnUntil(server, key, now, asking);
    if (until === 'ends') drop.push(key.id);
    else if (key.slot === 'current' || key.validUntil !== until) put.push({ ...key, slot: 'previous', validUntil: until });
  }
  return { put, drop };
}

function goesOnUntil({ policy, graceMs }: Ruled, key: ServerKey, now: number, asking?: ServerKey): number | null | 'ends' {
  if (lapsed(key, now) || policy === 'immediate') return 'ends';
  if (policy === 'multi') return key.validUntil;
  if (graceMs <= 0 || (key.slot !== 'current' && key.id !== asking?.id)) return 'ends';
  return Math.max(key.validUntil ?? 0, now + graceMs);
}

/**
 * Lets a previous key and the current one, which asks for it, change places (grace): the way back from a rotation. The one
 * that asks has the window that the other had, or a whole one where that is longer.
 */
export function bringBack({ graceMs }: Ruled, known: ServerKey, asking: ServerKey, now: number): Change {
  const until = Math.max(known.validUntil ?? 0, now + graceMs);
  return {
    // As if never used: until it is, the one that asks may still change its mind (isReplaced).
    put: [
      { ...known, slot: 'current', validUntil: null, lastUsed: null },
      { ...asking, slot: 'previous', validUntil: until },
    ],
    drop: [],
  };
}

/**
 * The key that has taken the place of the one that asks (grace), once it has been used: from then on the old one may send
 * heartbeats until its end, and no more. Otherwise whoever got hold of it could make itself a new key out of one that is
 * replaced, over and over, and shut the agent out. Before, the answer with the new key may have been lost.
 */
export function isReplaced({ policy }: Pick<Ruled, 'policy'>, keys: ServerKey[], asking: ServerKey, now: number): ServerKey | undefined {
  if (policy !== 'grace' || asking.slot !== 'previous') return undefined;
  return keys.find((key) => key.slot === 'current' && key.lastUsed !== null && works(key, now));
}

/** Adds a key beside the others, as `next`: its first use makes it current. Throws HUB_KEY_POLICY, HUB_KEY_NAMED. */
export function add(server: Ruled, keys: ServerKey[], fresh: ServerKey, now: number): Change {
  onlyMulti(server, 'keys are added');
  unlessNamed(server, keys, fresh);
  return { put: [{ ...fresh, slot: 'next' }], drop: idsOf(keys, (key) => lapsed(key, now)) };
}

/**
 * Ends another key than the one that asks, by its fingerprint. Where that was the current one, the one that asks takes its
 * place for good: a window that runs out would leave the agent without any.
 */
export function retire(keys: ServerKey[], fingerprint: string, asking: ServerKey, now: number): Change {
  const drop = idsOf(keys, (key) => key.id !== asking.id && (lapsed(key, now) || key.hash.startsWith(fingerprint)));
  const left = keys.filter((key) => !drop.includes(key.id));
  const heir = asking.slot !== 'current' && !left.some((key) => key.slot === 'current');
  return { put: heir ? [{ ...asking, slot: 'current', validUntil: null }] : [], drop };
}

/** Ends every previous key, and rows of keys whose time is over. Throws HUB_KEY_LAST. */
export function retirePrevious(server: Ruled, keys: ServerKey[], now: number): Change {
  const change = { put: [], drop: idsOf(keys, (key) => key.slot === 'previous' || lapsed(key, now)) };
  return unlessLast(server, keys, change, now);
}

/** Switches a key on or off. Throws HUB_KEY_POLICY, HUB_KEY_UNKNOWN, HUB_KEY_LAST (`force`: not). */
export function enable(server: Ruled, keys: ServerKey[], which: string, enabled: boolean, now: number, force = false): Change {
  onlyMulti(server, `keys are ${enabled ? 'enabled' : 'disabled'}`);
  const change = { put: [{ ...find(server, keys, which), enabled }], drop: [] };
  return force ? change : unlessLast(server, keys, change, now);
}

/**
 * Deletes a key; of the current one the place goes to the previous one that was used last. Throws HUB_KEY_POLICY, HUB_KEY_UNKNOWN,
 * HUB_KEY_LAST (`force`: not).
 */
export function remove(server: Ruled, keys: ServerKey[], which: string, now: number, force = false): Change {
  onlyMulti(server, 'keys are deleted');
  const gone = find(server, keys, which);
  const left = keys.filter((key) => key.slot === 'previous' && works(key, now));
  const heir = gone.slot === 'current' ? left.toSorted((a, b) => (b.lastUsed ?? 0) - (a.lastUsed ?? 0))[0] : undefined;
  const change: Change = { put: heir ? [{ ...heir, slot: 'current' }] : [], drop: [gone.id] };
  return force ? change : unlessLast(server, keys, change, now);
}

/** Gives a key another name. Throws HUB_KEY_POLICY, HUB_KEY_UNKNOWN, HUB_KEY_NAME, HUB_KEY_NAMED. */
export function rename(server: Ruled, keys: ServerKey[], which: string, name: string): Change {
  onlyMulti(server, 'keys are renamed');
  const key = { ...find(server, keys, which), name };
  unlessNamed(server, keys, key);
  return { put: [key], drop: [] };
}

/** The key of a name or fingerprint; a name cannot look like a fingerprint. Throws HUB_KEY_UNKNOWN. */
export function find(server: Ruled, keys: ServerKey[], which: string): ServerKey {
  const found = keys.find((key) => key.name === which || key.hash.slice(0, 12) === which);
  // What is no name and no fingerprint may be a key that was pasted by mistake, and keys are not repeated.
  if (!found) throw new ScoutError('HUB_KEY_UNKNOWN', { name: server.name, key: isName(which) ? which : '…' });
  return found;
}

function unlessNamed(server: Ruled, keys: ServerKey[], { id, name }: ServerKey): void {
  if (name === null) return;
  if (!isName(name) || /^[0-9a-f]{12}$/i.test(name)) throw new ScoutError('HUB_KEY_NAME');
  if (keys.some((key) => key.name === name && key.id !== id)) throw new ScoutError('HUB_KEY_NAMED', { name: server.name, key: name });
}

/** 64 characters would fit a key, which nobody should call a key by; so the most is one less. */
const isName = (text: string): boolean => /^[\p{L}\p{N}][\p{L}\p{N}._:@-]{0,62}$/u.test(text);

function onlyMulti({ name, policy }: Ruled, what: string): void {
  if (policy !== 'multi') throw wrongPolicy(name, policy, what, 'multi');
}

/** Throws HUB_KEY_POLICY where a window is given to a server whose policy has none: silently it would end no key, or all. */
export function unlessGrace({ name, policy }: Ruled): void {
  if (policy !== 'grace') throw wrongPolicy(name, policy, 'a key has a window', 'grace');
}

const wrongPolicy = (name: string, policy: Policy, what: string, wanted: Policy): ScoutError =>
  new ScoutError('HUB_KEY_POLICY', { name, policy, wanted, detail: `${what} under ${wanted} only` });

/** Of a server none of whose keys works there is nothing to protect. */
function unlessLast({ name }: Ruled, keys: ServerKey[], change: Change, now: number): Change {
  const any = (rows: ServerKey[]) => rows.some((key) => works(key, now));
  if (any(keys) && !any(changed(keys, change))) throw new ScoutError('HUB_KEY_LAST', { name });
  return change;
}

function idsOf(keys: ServerKey[], is: (key: ServerKey) => boolean): string[] {
  return keys.filter(is).map((key) => key.id);
}
