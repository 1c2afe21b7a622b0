import { createHash, createPublicKey } from 'node:crypto';
import type { KeptKey } from '../credentials/keyring.ts';
import { parsePrivateKey } from '../credentials/private-key.ts';
import type { Proof } from '../credentials/proof.ts';
import { sameValues, type Values } from '../credentials/values.ts';
import type { Minted, Registered } from '../protocol/keys.ts';
import { ScoutError } from '../support/errors.ts';
import { abort, forsake, overtaken } from './abort.ts';
import { newRefused } from './begin.ts';
import type { Book, Change } from './book.ts';
import { otherServer, ourselves } from './identity.ts';
import type { Journal, RotationState } from './journal.ts';
import type { Answer, World } from './ports.ts';
import { settle } from './retire.ts';

/*
 * One function a state: it does what leads to the next, and writes that down. Each may run again after a crash at any
 * point of it, so each asks first what the one before it may have done.
 */

/** How long the agent may be kept from sending; it lapses by itself, since whoever holds it may die. */
const HOLD_MS = 60_000;

export interface Turn {
  world: World;
  book: Book;
  /** Whether this process wrote the state it works on, so that nothing can have happened since. */
  fresh: boolean;
  /** Whether the old key is to be retired as soon as the new one is in use. */
  retireNow: boolean;
}

export const STEPS: Record<Exclude<RotationState, 'RETIRING'>, (turn: Turn) => Promise<void>> = {
  INTENT: stage,
  STAGED: prove,
  PROVEN: commit,
  COMMITTED: adopt,
  ADOPTED: settle,
};

/** INTENT → STAGED: the service learns of the new key. */
async function stage(turn: Turn): Promise<void> {
  const { world, book } = turn;
  const { source, policy } = book.journal;
  if (source === 'rollback' && policy === 'grace') return comeBack(turn);
  if (source === 'pasted' || source === 'rollback') return book.advance('STAGED', 'the service has the key already');
  // Where the old key dies as the new one is born, nothing may be sent between the two.
  if (policy === 'immediate' && (await world.agent.hold(HOLD_MS)))
    world.tell({ state: 'INTENT', text: 'the agent holds its heartbeats back' });
  await (source === 'minted' ? mint(turn) : register(turn));
}

async function register({ world, book, fresh }: Turn): Promise<void> {
  const next = book.keyring.next as KeptKey;
  const values = book.open(next);
  // A request of before may have been carried out.
  if (!fresh && (await isTaken(world, values))) return staged(world, book, next, null, 'the service knows the key already');
  const key = values['api.private_key'] === undefined ? { sha256: sha256(values) } : { public_key: publicKey(values) };
  const answer = await twice(world, book, () => world.service.register(currentOf(book), key));
  if (answer.kind === 'done') return staged(world, book, next, answer.value, 'registered');
  // The old key is dead, and by our own request perhaps; or the service does not take one key twice.
  if (answer.kind !== 'forbidden' && (await isTaken(world, values)))
    return staged(world, book, next, null, 'the service knows the key already');
  return refused(world, book, answer);
}

/**
 * The key in use has the service take the one before it for the current one again: a key in its window could not do so by
 * itself. A service that knows no such thing, and one that refuses the key in use, is left to the proof.
 */
async function comeBack({ world, book }: Turn): Promise<void> {
  const next = book.keyring.next as KeptKey;
  const answer = await twice(world, book, () => world.service.register(currentOf(book), { sha256: sha256(book.open(next)) }));
  if (answer.kind === 'done' && answer.value.slot === 'current')
    return staged(world, book, { ...next, valid_until: null }, answer.value, 'the service has it back');
  book.advance('STAGED', 'the service has the key already');
}

async function mint({ world, book }: Turn): Promise<void> {
  const { idempotency_key: idempotencyKey = '', policy, from } = book.journal;
  const answer = await twice(world, book, () => world.service.mint(currentOf(book), idempotencyKey));
  if (answer.kind === 'done') {
    const { key, replayed } = answer.value;
    const next = book.keep({ 'api.key': key }, 'minted');
    return staged(world, book, next, answer.value, replayed ? 'minted by an earlier request' : 'minted');
  }
  if (answer.kind !== 'refused' || policy === 'multi') return refused(world, book, answer);
  abort(book, 'the service ended the old key, and its answer with the new one was lost');
  throw new ScoutError('ROTATE_LOST', { endpoint: world.endpoint, fingerprint: from });
}

function staged(world: World, book: Book, next: KeptKey, answer: Registered | Minted | null, reason: string): void {
  if (answer && answer.fingerprint !== next.fingerprint) throw unlike(world, answer.fingerprint, next.fingerprint);
  const more: Values = {};
  if (answer && 'credential_id' in answer && answer.credential_id) more['api.credential_id'] = answer.credential_id;
  if (answer && 'kid' in answer && answer.kid && 'api.kid' in next.values) more['api.kid'] = answer.kid;
  const until = answer?.previous_key_valid_until ?? null;
  const kept = { ...next, values: { ...next.values, ...more } };
  book.advance('STAGED', reason, { next: kept }, { to: next.fingerprint, retire_at: until });
}

/** STAGED → PROVEN: the service takes the new key, says whose it is, and refuses a random one. */
async function prove({ world, book }: Turn): Promise<void> {
  const next = book.keyring.next as KeptKey;
  const { fingerprint } = next;
  const { proof, problems } = await world.service.prove(book.open(next));
  const fault = problems.find(({ severity }) => severity === 'error');
  // A clock that is off spoils nothing here, and is worth a word.
  for (const { severity, message: text } of problems) if (severity === 'warning') world.tell({ state: 'STAGED', text, level: 'warning' });
  if (!fault) {
    const other = otherServer(await ourselves(world, book, proof), proof);
    if (other) {
      forsake(book, `the new key belongs to ${other.found}`);
      throw new ScoutError('ROTATE_OTHER_SERVER', { fingerprint, ...other });
    }
    return book.advance('PROVEN', proof.steps.at(-1)?.detail ?? 'proven', known(world, next, proof), windowOf(book, proof));
  }
  const denied = fault.code === 'KEY_REFUSED' || fault.code === 'KEY_FORBIDDEN';
  // A key that came from outside and is refused was never any good. One that the service has registered, and refuses,
  // is given up only while the old one works.
  const { source } = book.journal;
  const given = source === 'pasted' || source === 'rollback';
  if (!denied || (!given && !(await isTaken(world, currentOf(book))))) {
    if (denied) throw new ScoutError('ROTATE_UNDECIDED', { state: 'STAGED', detail: fault.message });
    throw ScoutError.of(fault);
  }
  abort(book, fault.message);
  if (fault.code === 'KEY_FORBIDDEN') throw ScoutError.of(fault);
  if (source === 'rollback') throw new ScoutError('ROTATE_NO_PREVIOUS', { detail: `the service refuses ${fingerprint} by now` });
  throw newRefused(world, book.open(next), currentOf(book));
}

/** PROVEN → COMMITTED: the configuration holds the new key. */
async function commit({ world, book }: Turn): Promise<void> {
  const { current, next, previous } = book.keyring as { current: KeptKey; next: KeptKey; previous: KeptKey | null };
  const values = book.open(next);
  // After a crash between the two writes the new key is there already: then only the keyring is behind.
  const there = sameValues(world.configured.read(), values);
  if (!there && world.configured.replace(book.open(current), values) === 'overtaken') overtaken(world, book);
  const old = { ...current, valid_until: book.journal.retire_at };
  book.advance('COMMITTED', 'the configuration holds the new key', {
    current: next,
    next: null,
    previous: old,
    ...(previous && previous.fingerprint !== next.fingerprint && { quarantine: book.quarantined('replaced by a later one', previous) }),
  });
}

/** COMMITTED → ADOPTED: the running agent sends with it. */
async function adopt({ world, book }: Turn): Promise<void> {
  const { fingerprint } = book.keyring.current as KeptKey;
  const found = await world.agent.adopt(fingerprint);
  if (found.kind === 'accepted') return book.advance('ADOPTED', 'a heartbeat was accepted with the new key');
  if (found.kind === 'absent') return book.advance('ADOPTED', 'no agent runs here: it will start with the new key');
  if (found.kind === 'pending') throw new ScoutError('ROTATE_UNDECIDED', { state: 'COMMITTED', detail: found.detail });
  throw new ScoutError('ROTATE_NOT_ADOPTED', { fingerprint, detail: found.detail });
}

/** Whether the service takes these values; throws whatever decides nothing. */
async function isTaken(world: World, values: Values): Promise<boolean> {
  return (await world.service.whoami(values)).kind === 'accepted';
}

/** Asks once more when no answer came: the key routes take the same request twice, and answer it alike. */
async function twice<T>({ agent }: World, { journal }: Book, ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    // A service that is slow has used much of the first hold up. Without one it is asked all the same: the old key may be dead.
    if (journal.policy === 'immediate') await agent.hold(HOLD_MS).catch(() => false);
    return ask();
  }
}

/** The service says no: the rotation ends where it began. */
function refused(world: World, book: Book, answer: Exclude<Answer<unknown>, { kind: 'done' }>): never {
  const { from: fingerprint } = book.journal;
  const { endpoint } = world;
  const { detail } = answer;
  abort(book, `the service said: ${detail}`);
  if (answer.kind === 'refused') throw new ScoutError('ROTATE_OLD_REFUSED', { endpoint, fingerprint });
  if (answer.kind === 'forbidden') throw new ScoutError('KEY_FORBIDDEN', { endpoint, fingerprint, detail });
  throw new ScoutError('ROTATE_DECLINED', { endpoint, detail: `${detail} (${answer.status})` });
}

/** What the proof tells: whose key it is, and when it ends itself, if it is an older one of the service's. */
function known(world: World, next: KeptKey, proof: Proof): Change {
  const { service_id, server, slot, previous_key_valid_until: until } = proof;
  return {
    ...(service_id !== undefined && { service: { endpoint: world.endpoint, service_id, server_id: server?.id ?? null } }),
    ...(slot === 'previous' && until && { next: { ...next, valid_until: until } }),
  };
}

/** The end of the old key, where only whoami can tell it: the answer that would have was lost, or a person made the new one. */
function windowOf({ journal }: Book, { slot, previous_key_valid_until: until }: Proof): Pick<Journal, 'retire_at'> {
  return { retire_at: journal.retire_at ?? (slot === 'previous' ? null : (until ?? null)) };
}

const sha256 = (values: Values): string =>
  createHash('sha256')
    .update(values['api.key'] ?? '')
    .digest('hex');

/** base64url of the public half's SPKI DER. */
function publicKey(values: Values): string {
  const { key } = parsePrivateKey(values['api.private_key'] ?? '');
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64url');
}

const currentOf = (book: Book): Values => book.open(book.keyring.current as KeptKey);

/** What answers is no key service: it does not know what it was sent. */
function unlike({ endpoint }: World, said: string, sent: string): ScoutError {
  return new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail: `it says the new key has the fingerprint ${said}, and it has ${sent}` });
}
