import { generateKeyPair, randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeptKey, Keyring } from '../credentials/keyring.ts';
import { fingerprintOf, type Values } from '../credentials/values.ts';
import type { Reply } from '../credentials/whoami.ts';
import { ScoutError } from '../support/errors.ts';
import type { Book } from './book.ts';
import { otherServer } from './identity.ts';
import type { Journal, Policy, Source } from './journal.ts';
import type { World } from './ports.ts';

/** What was asked for; without a source, the best that the service offers. */
export interface Request {
  source?: Source;
  /** The new credential, for `pasted`. */
  pasted?: Values;
  /** Take the risk of a service that ends the old key before it answers with the new one. */
  acceptGap: boolean;
}

/** How a rotation would go, as `--dry-run` tells it. */
export interface Plan {
  source: Source;
  policy: Policy;
  from: string;
  /** Name of the server, or of the organisation credential. */
  name: string | null;
  /** What the service does for an agent: register, mint, retire. */
  abilities: string[];
  service: Keyring['service'];
}

const RSA_BITS = 2048;

/**
 * Decides how the credential will be replaced; changes nothing. Throws the ROTATE_ errors that speak against it,
 * EDIT_REFUSED and the SERVICE_ errors.
 */
export async function plan(world: World, book: Book, request: Request): Promise<Plan> {
  const values = world.configured.read();
  const from = fingerprintOf(values);
  const pair = 'api.private_key' in values;
  const reply = await whoWeAre(world, values, request);
  const told = reply?.kind === 'accepted' ? reply.whoami : undefined;
  const abilities = told?.rotation ?? [];
  const policy = told?.server?.policy ?? book.keyring.rotation?.policy ?? 'multi';
  const source = choose(world, request, pair, abilities);
  if (policy === 'immediate' && source === 'minted' && !request.acceptGap) throw new ScoutError('ROTATE_GAP', { endpoint: world.endpoint });
  if (request.pasted && fingerprintOf(request.pasted) === from) throw new ScoutError('ROTATE_SAME', { fingerprint: from });
  world.configured.check([...new Set([...Object.keys(values), ...Object.keys(request.pasted ?? {})])]);
  const service = told
    ? { endpoint: world.endpoint, service_id: told.service_id, server_id: told.server?.id ?? null }
    : (book.keyring.service ?? { endpoint: world.endpoint, service_id: null, server_id: null });
  if (request.pasted) await tryGiven(world, request.pasted, values, service);
  const name = told?.server?.name ?? told?.credential?.name ?? null;
  return { source, policy, from, name, abilities, service };
}

/** Writes the intent down, and with it every key that is made here: before the service hears of any. */
export async function begin(world: World, book: Book, request: Request, planned: Plan): Promise<void> {
  const { source, policy, from, service } = planned;
  const next = await nextKey(world, book, request, source);
  const now = book.time();
  const rotation: Journal = {
    id: randomUUID(),
    state: 'INTENT',
    source,
    policy,
    from,
    to: next?.fingerprint ?? null,
    started: now,
    changed: now,
    actor: book.actor,
    ...(source === 'minted' && { idempotency_key: randomUUID() }),
    retire_at: null,
    problem: null,
  };
  const previous = source === 'rollback' ? null : book.keyring.previous;
  book.write({ service, next, previous, rotation }, 'INTENT', REASONS[source]);
  world.tell({ state: 'INTENT', text: `${REASONS[source]}${next ? ` (fingerprint ${next.fingerprint})` : ''}; it is to replace ${from}` });
}

const REASONS: Record<Source, string> = {
  made: 'a key was made here',
  keypair: 'a key pair was made here',
  pasted: 'a key was given',
  minted: 'the service is asked for a key',
  rollback: 'the previous key is to come back',
};

/**
 * Who we are now. A dead key does not keep an operator from giving another one. Throws ROTATE_OLD_REFUSED, KEY_FORBIDDEN
 * and the SERVICE_ errors.
 */
export async function whoWeAre(world: World, values: Values, { source }: Request): Promise<Reply | undefined> {
  const given = source === 'pasted' || source === 'rollback';
  let reply: Reply;
  try {
    reply = await world.service.whoami(values);
  } catch (error) {
    // A service without whoami: the proof will find out what it is.
    if (given && error instanceof ScoutError && error.code === 'SERVICE_UNEXPECTED') return undefined;
    throw error;
  }
  if (reply.kind === 'accepted' || given) return reply;
  const params = { endpoint: world.endpoint, fingerprint: fingerprintOf(values), detail: reply.detail };
  throw new ScoutError(reply.kind === 'refused' ? 'ROTATE_OLD_REFUSED' : 'KEY_FORBIDDEN', params);
}

/**
 * A key that was copied wrong, or is another's, is refused before anything makes room for it, and before the agent could come
 * upon it. What decides nothing is left to the proof.
 */
async function tryGiven(world: World, pasted: Values, values: Values, service: Keyring['service']): Promise<void> {
  const reply = await world.service.whoami(pasted).catch((error) => {
    if (error instanceof ScoutError) return undefined;
    throw error;
  });
  if (reply?.kind === 'refused') throw newRefused(world, pasted, values);
  const other = reply?.kind === 'accepted' && otherServer(service, reply.whoami);
  if (other) throw new ScoutError('ROTATE_OTHER_SERVER', { fingerprint: fingerprintOf(pasted), ...other });
}

/** ROTATE_NEW_REFUSED, with what is easily forgotten. */
export function newRefused({ endpoint }: World, refused: Values, inUse: Values): ScoutError {
  const same = 'api.private_key' in refused && refused['api.credential_id'] === inUse['api.credential_id'];
  const hint = same ? ', and give the id of the new credential too (--credential-id ID)' : '';
  const detail = `the key in use is still ${fingerprintOf(inUse)}`;
  return new ScoutError('ROTATE_NEW_REFUSED', { endpoint, fingerprint: fingerprintOf(refused), detail, hint });
}

function choose({ endpoint }: World, { source }: Request, pair: boolean, abilities: string[]): Source {
  const wrong = (detail: string) => new ScoutError('ROTATE_SOURCE', { detail });
  if (source === 'keypair' && !pair)
    throw wrong('--keypair is for organisation credentials, and the configuration has an API key: use --self');
  if (source === 'made' && pair) throw wrong('--self is for API keys, and the configuration has a key pair: use --keypair');
  if (source === 'minted' && pair) throw wrong('a service does not make key pairs: use --keypair');
  const needed = { made: 'register', keypair: 'register', minted: 'mint' } as const;
  if (source === 'pasted' || source === 'rollback') return source;
  if (source !== undefined) {
    if (abilities.includes(needed[source])) return source;
    throw new ScoutError('ROTATE_NO_SOURCE', { endpoint });
  }
  if (abilities.includes('register')) return pair ? 'keypair' : 'made';
  if (abilities.includes('mint') && !pair) return 'minted';
  throw new ScoutError('ROTATE_NO_SOURCE', { endpoint });
}

async function nextKey(world: World, book: Book, request: Request, source: Source): Promise<KeptKey | null> {
  switch (source) {
    case 'made':
      return book.keep({ 'api.key': randomBytes(32).toString('hex') }, source);
    case 'keypair':
      return book.keep(await makePair(world.configured.read()), source);
    case 'pasted':
      return book.keep(request.pasted as Values, source);
    case 'rollback':
      if (!book.keyring.previous) throw new ScoutError('ROTATE_NO_PREVIOUS', { detail: 'the keyring holds none' });
      // What does not open here is told before anything has begun.
      book.open(book.keyring.previous);
      return { ...book.keyring.previous };
    case 'minted':
      return null;
  }
}

/** A pair in the place of another one; its id and key id are filled in by what the service answers. */
async function makePair(before: Values): Promise<Values> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS });
  return { ...before, 'api.private_key': privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url') };
}
