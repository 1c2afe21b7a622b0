import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { API_KEY_HEADER } from '../../protocol/wire.ts';
import { Bearers, isPrivateKey } from '../credentials/bearer.ts';
import { fingerprintOfCredential } from '../credentials/credentials.ts';
import { isToken, TokenFault } from '../credentials/jwt.ts';
import { hashOfKid } from '../credentials/public-key.ts';
import type { Hub } from '../hub.ts';
import type { Metrics } from '../metrics.ts';
import { fingerprintOf, hashKey, rfc3339 } from '../servers.ts';
import type { EndedKey, Ending, KeyUse, OrgCredential, Server, ServerKey, Slot } from '../store/store.ts';
import { Refusal } from './problems.ts';
import { Refusals } from './refusals.ts';
import { sourceOf, Throttle } from './throttle.ts';

/** Failed authentications that one address may have in a window before it is told to wait. */
const FAILURES_MAX = 50;
const FAILURES_WINDOW_MS = 10_000;
/** A private key of 8192 bits has 6,300 characters in base64url. */
const KEY_MAX_LENGTH = 8_192;
/** What an answer of 401 tells of how to send a key. */
export const CHALLENGE = { 'www-authenticate': 'Bearer realm="scout-hub"' };

/** An agent with its server's own key. */
export interface AgentCaller {
  kind: 'agent';
  server: Server;
  key: ServerKey;
}

/** A host with a credential of the organisation. */
export interface CredentialCaller {
  kind: 'credential';
  credential: OrgCredential;
}

/** Who a request comes from. */
export type Caller = AgentCaller | CredentialCaller;

/** What every answer to an agent says of its key. */
export interface KeyStanding {
  fingerprint: string;
  slot: Slot;
  previous_key_valid_until: string | null;
}

/** Lets agents in by their key or credential, and counts those it refuses. */
export class Gate {
  readonly #hub: Hub;
  readonly #metrics: Metrics;
  readonly #bearers: Bearers;
  readonly #throttle = new Throttle(FAILURES_MAX, FAILURES_WINDOW_MS);
  readonly refusals: Refusals;

  constructor(hub: Hub, metrics: Metrics) {
    this.#hub = hub;
    this.#metrics = metrics;
    this.#bearers = new Bearers(hub);
    this.refusals = new Refusals(hub);
  }

  /**
   * The caller whose key the headers carry. Throws a Refusal (401, 429), which is already counted: for the server whose
   * key it was, unless it is a mere question (whoami). Rotations ask so whether an old key is dead; a no is good news.
   */
  async admit(headers: IncomingHttpHeaders, address: string, question = false): Promise<Caller> {
    const secret = secretOf(headers);
    const plain = typeof headers[API_KEY_HEADER] === 'string';
    if (secret !== undefined && !plain && (isToken(secret) || isPrivateKey(secret))) return this.#credential(secret, address);
    const found = secret === undefined ? undefined : await this.#find(secret);
    if (!found && secret !== undefined) {
      const holder = await this.#holder(secret, address);
      if (holder) return holder;
    }
    const fault = faultOf(secret, found?.key, this.#hub.now());
    if (found && !fault) {
      this.#throttle.succeed(sourceOf(address));
      return found;
    }
    // Only now: whoever has a good key is not kept waiting for a second look.
    const ended = secret !== undefined && !found ? await this.#hub.store.endedKey(hashKey(secret)) : undefined;
    const server = found?.server ?? ended?.server;
    throw this.fail(ended ? endedFault(ended) : (fault as Refusal), address, question ? undefined : server);
  }

  /** Counts a refusal for its server (null where the key told none), and hands it back to be thrown or answered. */
  count(refusal: Refusal, server?: Server): Refusal {
    this.#metrics.refuse(refusal.status);
    this.refusals.add(server?.id ?? null, refusal.status);
    return refusal;
  }

  async standing(caller: Caller): Promise<KeyStanding> {
    if (caller.kind === 'credential')
      return { fingerprint: fingerprintOfCredential(caller.credential), slot: 'current', previous_key_valid_until: null };
    const { server, key } = caller;
    const now = this.#hub.now();
    // Its own end for a previous key; for the current one that of the others, of which there may be two (keys/policies.ts, grace).
    const others = key.slot === 'previous' ? [key] : (await this.#hub.store.keys(server.id)).filter((one) => one.slot === 'previous');
    const until = Math.max(
      ...others.map((one) => (one.enabled && one.validUntil !== null && one.validUntil > now ? one.validUntil : 0)),
      0,
    );
    return {
      fingerprint: fingerprintOf(key),
      slot: key.slot,
      previous_key_valid_until: until > 0 ? rfc3339(until) : null,
    };
  }

  #credential(secret: string, address: string): Promise<CredentialCaller> {
    return this.#held(address, async () =>
      callerOf(await (isToken(secret) ? this.#bearers.byToken(secret) : this.#bearers.byPrivateKey(secret))),
    );
  }

  /** Who holds an API key of an organisation; undefined where it is none. */
  #holder(secret: string, address: string): Promise<CredentialCaller | undefined> {
    return this.#held(address, async () => {
      const credential = await this.#bearers.byApiKey(hashKey(secret));
      return credential && callerOf(credential);
    });
  }

  async #held<C extends CredentialCaller | undefined>(address: string, find: () => Promise<C>): Promise<C> {
    try {
      const caller = await find();
      if (caller) this.#throttle.succeed(sourceOf(address));
      return caller;
    } catch (error) {
      throw error instanceof TokenFault ? this.fail(refused(error.message), address) : error;
    }
  }

  /** Counts a failure against its address too; what comes back is the refusal, or that there were too many. */
  fail(refusal: Refusal, address: string, server?: Server): Refusal {
    const wait = this.#throttle.fail(sourceOf(address), this.#hub.monotonic());
    return this.count(wait > 0 ? tooMany(wait) : refusal, server);
  }

  async #find(secret: string): Promise<AgentCaller | undefined> {
    const hash = hashKey(secret);
    const found = await this.#hub.store.findKey(hash);
    return found && timingSafeEqual(Buffer.from(found.key.hash), Buffer.from(hash)) ? { kind: 'agent', ...found } : undefined;
  }
}

const callerOf = (credential: OrgCredential): CredentialCaller => ({ kind: 'credential', credential });

/** What the store notes as used: the server's key, or the credential, whose hash is its thumbprint. */
export function keyUseOf(caller: Caller): KeyUse {
  if (caller.kind === 'agent') return caller.key;
  const { id, kid, lastUsed } = caller.credential;
  return { id, hash: hashOfKid(kid), slot: 'current', lastUsed };
}

/** The key in `X-API-Key`, or after `Bearer` in `Authorization`. */
export function secretOf(headers: IncomingHttpHeaders): string | undefined {
  const plain = headers[API_KEY_HEADER];
  const secret = typeof plain === 'string' ? plain : /^Bearer +([^ ]+) *$/i.exec(headers.authorization ?? '')?.[1];
  return secret === undefined || secret === '' || secret.length > KEY_MAX_LENGTH ? undefined : secret;
}

const refused = (detail: string): Refusal => new Refusal('key_refused', detail, { headers: CHALLENGE });

function faultOf(secret: string | undefined, key: ServerKey | undefined, now: number): Refusal | undefined {
  if (secret === undefined)
    return new Refusal('key_missing', 'Send the key as X-API-Key, or as Authorization: Bearer KEY.', { headers: CHALLENGE });
  if (!key) return refused('This key is not known here.');
  if (!key.enabled) return refused(`The key with fingerprint ${fingerprintOf(key)} is disabled.`);
  if (key.validUntil !== null && key.validUntil <= now)
    return refused(`The key with fingerprint ${fingerprintOf(key)} was valid until ${rfc3339(key.validUntil)}.`);
  return undefined;
}

const ENDINGS: Record<Ending, string> = {
  replaced: 'it was replaced',
  retired: 'it was retired',
  deleted: 'it was deleted',
  removed: 'its server was removed',
};

function endedFault(key: EndedKey): Refusal {
  return refused(`The key with fingerprint ${fingerprintOf(key)} ended at ${rfc3339(key.endedAt)}: ${ENDINGS[key.how]}.`);
}

function tooMany(waitMs: number): Refusal {
  const headers = { 'retry-after': String(Math.ceil(waitMs / 1_000)) };
  return new Refusal('too_many', 'Too many requests without a good key came from this address.', { headers });
}
