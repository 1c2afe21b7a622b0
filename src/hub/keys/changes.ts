import { randomBytes, randomUUID } from 'node:crypto';
import { ScoutError } from '../../support/errors.ts';
import { entryFor, fingerprintOf, hashKey, keyView, known, type Registry, rfc3339 } from '../servers.ts';
import type { AuditEntry, Ending, Server, ServerKey, Slot } from '../store/store.ts';
import { add, bringIn, type Change, changed, enable, find, remove, rename, retirePrevious, unlessGrace, works } from './policies.ts';

/** A key that was made here, and what became of the others. */
export interface MadeKey {
  /** Shown once, kept nowhere. */
  key: string;
  fingerprint: string;
  slot: Slot;
  /** The last time at which a key that worked before still works; null where nothing ends it, or all are dead. */
  previous_key_valid_until: string | null;
}

/** What a change made of one key that was there before. */
export interface Fate {
  fingerprint: string;
  fate: 'deleted' | 'previous' | 'unchanged';
  /** RFC 3339; of `previous`: until when it works, null where nothing ends it. */
  until: string | null;
}

/** A row for a key whose hash is known; `bringIn` and `add` give it its slot. */
export function rowOf(serverId: string, hash: string, now: number, name: string | null = null): ServerKey {
  return { id: randomUUID(), serverId, name, hash, slot: 'current', enabled: true, createdAt: now, validUntil: null, lastUsed: null };
}

/** What the audit trail says of a change: fingerprints of the keys that it is about, and of those that it ended. */
export function auditDetailOf(change: Change, keys: ServerKey[], about: ServerKey[]): Record<string, string> {
  const list = (some: ServerKey[]) => some.map(fingerprintOf).join(' ');
  const ended = keys.filter((key) => change.drop.includes(key.id));
  const left = change.put.filter((key) => key.validUntil !== null);
  return {
    ...(about.length > 0 && { key: list(about) }),
    ...(ended.length > 0 && { ended: list(ended) }),
    ...(left.length > 0 && { until: left.map((key) => `${fingerprintOf(key)} ${rfc3339(key.validUntil ?? 0)}`).join(', ') }),
  };
}

type Decide = (keys: ServerKey[], server: Server, now: number) => { change: Change; about: ServerKey[] };

/** Why keys end that a change drops, by the word for it in the audit trail. */
export function endingOf(action: string): Ending {
  if (action === 'key.retire') return 'retired';
  return action === 'key.delete' ? 'deleted' : 'replaced';
}

async function change(hub: Registry, name: string, action: string, decide: Decide): Promise<{ before: ServerKey[]; after: ServerKey[] }> {
  const server = await known(hub, name);
  const now = hub.now();
  let rows: { before: ServerKey[]; after: ServerKey[] } = { before: [], after: [] };
  await hub.store.changeKeys(server.id, (keys) => {
    const { change, about } = decide(keys, server, now);
    rows = { before: keys, after: changed(keys, change) };
    if (change.put.length + change.drop.length === 0) return {};
    const detail = auditDetailOf(change, keys, about);
    const audit: AuditEntry = { ...entryFor(hub, action, `server:${name}`, detail), at: now };
    return { ...change, ended: { at: now, how: endingOf(action) }, audit };
  });
  return rows;
}

/** How a rotation may differ from what the policy says by itself. */
export interface RotateOptions {
  /** The window of this once, ms, under `grace`; 0 ends the others at once. */
  graceMs?: number | undefined;
  /** Fingerprints of the keys that were there when it was asked for; with others nothing is done. */
  standing?: string[] | undefined;
}

/** The fingerprints by which a later request tells whether keys have changed meanwhile. */
export const standingOf = (keys: { fingerprint: string }[]): string[] => keys.map((key) => key.fingerprint).sort();

function unlessMoved(name: string, keys: ServerKey[], standing: string[] | undefined): void {
  const now = standingOf(keys.map((key) => ({ fingerprint: fingerprintOf(key) })));
  if (standing && now.join() !== standing.toSorted().join()) throw new ScoutError('HUB_KEY_MOVED', { name });
}

/** Makes a new key, and ends the others as the server's policy says. Throws HUB_SERVER_UNKNOWN, HUB_KEY_MOVED, HUB_KEY_POLICY. */
export async function rotateKey(hub: Registry, name: string, options: RotateOptions = {}): Promise<MadeKey & { others: Fate[] }> {
  const key = randomBytes(32).toString('hex');
  return { key, ...(await rotateTo(hub, name, hashKey(key), options)) };
}

/**
 * Makes a key that was made elsewhere the current one, by its SHA-256 (hex). For one that works here already nothing
 * changes, so it may be asked again when an answer was lost. Throws what `rotateKey` throws, HUB_KEY_EXISTS, HUB_KEY_ENDED.
 */
export async function rotateTo(
  hub: Registry,
  name: string,
  sha256: string,
  { graceMs, standing }: RotateOptions = {},
): Promise<Omit<MadeKey, 'key'> & { others: Fate[] }> {
  const { before, after } = await change(hub, name, 'key.rotate', (keys, server, now) => {
    if (isIn(keys, sha256, now)) return NOTHING;
    unlessMoved(name, keys, standing);
    if (graceMs !== undefined) unlessGrace(server);
    const made = rowOf(server.id, sha256, now);
    return { change: bringIn({ ...server, graceMs: graceMs ?? server.graceMs }, keys, made, now, inUse(keys, now)), about: [made] };
  });
  const made = after.find((one) => one.hash === sha256) as ServerKey;
  const others = before.filter((one) => one.id !== made.id).map((one) => fateOf(one, after));
  const ends = others.flatMap(({ until }) => until ?? []).sort();
  return { fingerprint: fingerprintOf(made), slot: made.slot, previous_key_valid_until: ends.at(-1) ?? null, others };
}

/** The previous key, where its agent has not taken over the current one yet: ending it would shut the agent out. */
function inUse(keys: ServerKey[], now: number): ServerKey | undefined {
  if (keys.some((one) => one.slot === 'current' && one.lastUsed !== null)) return undefined;
  return keys.find((one) => one.slot === 'previous' && one.lastUsed !== null && works(one, now));
}

const NOTHING = { change: { put: [], drop: [] }, about: [] };
const isIn = (keys: ServerKey[], hash: string, now: number): boolean => keys.some((one) => one.hash === hash && works(one, now));

function fateOf(key: ServerKey, after: ServerKey[]): Fate {
  const left = after.find((one) => one.id === key.id);
  const until = left?.validUntil ?? null;
  const fate = !left ? 'deleted' : left.slot === 'previous' ? 'previous' : 'unchanged';
  return { fingerprint: fingerprintOf(key), fate, until: until === null ? null : rfc3339(until) };
}

/**
 * Makes a key beside the others (`multi`). Throws HUB_SERVER_UNKNOWN, HUB_KEY_POLICY, HUB_KEY_NAME, HUB_KEY_NAMED, HUB_KEY_MOVED.
 */
export async function addKey(
  hub: Registry,
  name: string,
  keyName: string | null,
  standing?: string[],
): Promise<Omit<MadeKey, 'previous_key_valid_until'>> {
  const key = randomBytes(32).toString('hex');
  return { key, ...(await addKeyOf(hub, name, { name: keyName, sha256: hashKey(key) }, standing)) };
}

/**
 * Adds a key that was made elsewhere, by its SHA-256 (hex), beside the others (`multi`); one that works here already stays
 * as it is. Throws what `addKey` throws, HUB_KEY_EXISTS, HUB_KEY_ENDED.
 */
export async function addKeyOf(
  hub: Registry,
  name: string,
  made: { name: string | null; sha256: string },
  standing?: string[],
): Promise<Pick<MadeKey, 'fingerprint' | 'slot'>> {
  const { after } = await change(hub, name, 'key.add', (keys, server, now) => {
    if (isIn(keys, made.sha256, now)) return NOTHING;
    unlessMoved(name, keys, standing);
    const fresh = rowOf(server.id, made.sha256, now, made.name);
    return { change: add(server, keys, fresh, now), about: [fresh] };
  });
  const { slot } = after.find((one) => one.hash === made.sha256) as ServerKey;
  return { fingerprint: fingerprintOf({ hash: made.sha256 }), slot };
}

/** Ends the previous keys; returns their fingerprints. Throws HUB_SERVER_UNKNOWN, HUB_KEY_LAST. */
export async function retireKeys(hub: Registry, name: string): Promise<string[]> {
  const { before, after } = await change(hub, name, 'key.retire', (keys, server, now) => ({
    change: retirePrevious(server, keys, now),
    about: [],
  }));
  return before.filter((key) => !after.some((one) => one.id === key.id)).map(fingerprintOf);
}

/** What can be done to one key of a server under `multi`. */
export type OneKey = { action: 'enable' | 'disable' | 'delete'; force: boolean } | { action: 'rename'; to: string };

/**
 * Enables, disables, deletes or renames a key, by its name or fingerprint; returns it as it is afterwards, or as it was.
 * Throws HUB_SERVER_UNKNOWN, HUB_KEY_UNKNOWN, HUB_KEY_POLICY, HUB_KEY_LAST, HUB_KEY_NAME, HUB_KEY_NAMED.
 */
export async function changeKey(hub: Registry, name: string, which: string, what: OneKey): Promise<ReturnType<typeof keyView>> {
  let id = '';
  const { before, after } = await change(hub, name, `key.${what.action}`, (keys, server, now) => {
    const change = decideOne(server, keys, which, what, now);
    const key = find(server, keys, which);
    id = key.id;
    return { change, about: [key] };
  });
  return keyView([...after, ...before].find((key) => key.id === id) as ServerKey);
}

function decideOne(server: Server, keys: ServerKey[], which: string, what: OneKey, now: number): Change {
  if (what.action === 'rename') return rename(server, keys, which, what.to);
  if (what.action === 'delete') return remove(server, keys, which, now, what.force);
  return enable(server, keys, which, what.action === 'enable', now, what.force);
}
