import { endpointOf, type KeptKey, sameAddress } from '../credentials/keyring.ts';
import { ScoutError } from '../support/errors.ts';
import type { Book } from './book.ts';
import type { Policy } from './journal.ts';
import type { World } from './ports.ts';
import type { Turn } from './steps.ts';

/** How long a key that several may be active beside is left to be gone back to; what services with a window give. */
const LEFT_MS = 24 * 3_600_000;

/** ADOPTED → RETIRING, or the end: what becomes of the old key. */
export async function settle({ world, book, retireNow }: Turn): Promise<void> {
  const { previous } = book.keyring;
  const { policy } = book.journal;
  if (!previous) end(book, 'there is no old key');
  else if (retireNow && (await isAlive(world, book, previous)) !== false) await retire(world, book, previous);
  else await leave(world, book, previous);
  await prune(world, book, policy);
}

/**
 * Ends the old key at the service, asked by the new one, and forgets it. Throws ROTATE_IN_USE, ROTATE_DECLINED,
 * KEY_FORBIDDEN, KEY_REFUSED and the SERVICE_ errors; then the key is kept.
 */
export async function retire(world: World, book: Book, previous: KeptKey): Promise<void> {
  const { endpoint } = world;
  const current = book.keyring.current as KeptKey;
  const answer = await world.service.retire(book.open(current), previous.fingerprint);
  if (answer.kind === 'refused') throw new ScoutError('KEY_REFUSED', { endpoint, fingerprint: current.fingerprint });
  if (answer.kind === 'forbidden')
    throw new ScoutError('KEY_FORBIDDEN', { endpoint, fingerprint: current.fingerprint, detail: answer.detail });
  if (answer.kind === 'declined' && answer.code === 'key_in_use')
    throw new ScoutError('ROTATE_IN_USE', { endpoint, fingerprint: previous.fingerprint, detail: answer.detail });
  if (answer.kind === 'declined') throw new ScoutError('ROTATE_DECLINED', { endpoint, detail: `${answer.detail} (${answer.status})` });
  if (current.valid_until !== null) await unlimited(world, book, current);
  // Its word is not enough to forget a key by.
  if ((await isAlive(world, book, previous)) === false) return end(book, 'the service ended the old key, and refuses it', previous);
  end(book, 'the service says that it ended the old key, but did not refuse it', previous, 'quarantine');
}

/** A key that was gone back to loses its end with the one that had replaced it. */
async function unlimited(world: World, book: Book, current: KeptKey): Promise<void> {
  const reply = await world.service.whoami(book.open(current)).catch(() => undefined);
  if (reply?.kind !== 'accepted' || reply.whoami.slot === 'previous') return;
  book.write({ current: { ...current, valid_until: null } }, 'CURRENT', 'the service has no end for it any more', {
    from: null,
    to: current.fingerprint,
  });
}

/** What is due when nothing is under way: an old key whose time has come. Says whether it did anything. */
export async function retireDue(world: World, book: Book): Promise<boolean> {
  const { rotation, previous } = book.keyring;
  if (rotation?.state !== 'RETIRING' || rotation.retire_at === null || Date.parse(rotation.retire_at) > world.now()) return false;
  if (!previous) end(book, 'there is no old key');
  else if ((await isAlive(world, book, previous)) === false) end(book, 'the service refuses the old key: its time is over', previous);
  else if (rotation.policy !== 'multi' || !(await retireUnlessUsed(world, book, previous))) return false;
  world.tell({ state: 'RETIRED', text: `the old key ${previous?.fingerprint ?? ''} has ended` });
  return true;
}

/** Whether an old key was ended; false: others use it, and the timer asks again tomorrow. */
async function retireUnlessUsed(world: World, book: Book, previous: KeptKey): Promise<boolean> {
  try {
    await retire(world, book, previous);
    return true;
  } catch (error) {
    if (!(error instanceof ScoutError) || error.code !== 'ROTATE_IN_USE') throw error;
    world.tell({ state: 'RETIRING', text: error.problem.message, level: 'warning' });
    return false;
  }
}

/**
 * Before another rotation: the old key of the last one makes room. Under `multi` it would go on working for ever; null: it
 * may be in use, and is ended by a later rotation.
 */
export async function makeRoom(world: World, book: Book, policy: Policy | null): Promise<void> {
  const { previous } = book.keyring;
  if (!previous) return;
  if (policy === 'multi' && isOwn(previous)) return retire(world, book, previous).catch(() => setAside(book, previous));
  setAside(book, previous);
}

function setAside(book: Book, previous: KeptKey): void {
  end(book, 'another rotation begins', previous, 'quarantine');
}

/**
 * Forgets quarantined keys that the service itself refuses; it has just proved that it is the one. Those of this host's own
 * that would work for ever are ended first.
 */
async function prune(world: World, book: Book, policy: Policy): Promise<void> {
  const { current, previous } = book.keyring;
  for (const key of book.keyring.quarantine) {
    if (!sameAddress(endpointOf(book.keyring, key), world.endpoint)) continue;
    const inUse = [current, previous].some((one) => one?.fingerprint === key.fingerprint);
    let alive = await isAlive(world, book, key);
    if (alive && policy === 'multi' && isOwn(key) && !inUse) alive = await endQuietly(world, book, key);
    if (alive !== false) continue;
    const quarantine = book.keyring.quarantine.filter(({ fingerprint }) => fingerprint !== key.fingerprint);
    book.write({ quarantine }, 'ERASED', 'the service refuses it', { from: key.fingerprint, to: null });
  }
}

/** Has the service end a key that nobody uses; whether it still takes it, undefined when that cannot be told now. */
async function endQuietly(world: World, book: Book, key: KeptKey): Promise<boolean | undefined> {
  try {
    await world.service.retire(book.open(book.keyring.current as KeptKey), key.fingerprint);
    return await isAlive(world, book, key);
  } catch (error) {
    if (error instanceof ScoutError) return undefined;
    throw error;
  }
}

/** Leaves the old key to its own end: dead already, at the end of its window, or when the timer comes round. */
async function leave(world: World, book: Book, previous: KeptKey): Promise<void> {
  const { policy, retire_at: until } = book.journal;
  const alive = until !== null && Date.parse(until) > world.now() ? true : await isAlive(world, book, previous);
  if (alive === false) return end(book, 'the service refuses the old key', previous);
  const mine = policy === 'multi' && isOwn(previous) ? new Date(world.now() + LEFT_MS).toISOString() : until;
  book.advance('RETIRING', 'the old key is left until its end', {}, { retire_at: mine });
}

/** Whether the service takes a key; undefined when that cannot be told now. */
async function isAlive(world: World, book: Book, key: KeptKey): Promise<boolean | undefined> {
  try {
    const { kind } = await world.service.whoami(book.open(key));
    return kind !== 'refused';
  } catch (error) {
    if (error instanceof ScoutError) return undefined;
    throw error;
  }
}

/** Whether no other host can have it: it was made on this one, or for it. A pair is shared under its name. */
const isOwn = ({ origin }: KeptKey): boolean => origin === 'made' || origin === 'minted';

/** No rotation any more; the old key is forgotten, or set aside. */
function end(book: Book, reason: string, previous: KeptKey | null = null, to: 'nowhere' | 'quarantine' = 'nowhere'): void {
  const about = previous ? { from: previous.fingerprint, to: book.keyring.current?.fingerprint ?? null } : {};
  const quarantine = to === 'quarantine' ? book.quarantined(reason, previous) : book.keyring.quarantine;
  book.write({ previous: null, quarantine, rotation: null }, to === 'quarantine' ? 'QUARANTINED' : 'RETIRED', reason, about);
}
