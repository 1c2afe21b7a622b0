import { randomBytes } from 'node:crypto';
import type { Context } from 'hono';
import { type Minted, mintSchema, type Registered, type Retired, registerSchema, retireSchema } from '../../protocol/keys.ts';
import { ScoutError } from '../../support/errors.ts';
import { registerCredential, retireCredential } from '../credentials/versions.ts';
import { type AgentCaller, secretOf } from '../http/gate.ts';
import { Refusal } from '../http/problems.ts';
import { addressOf, bodyOf, callerOf, headersOf, type RouteEnv } from '../http/requests.ts';
import type { Router } from '../http/router.ts';
import type { Hub } from '../hub.ts';
import { fingerprintOf, hashKey, rfc3339 } from '../servers.ts';
import { type AuditEntry, MINT_KEPT_MS, type Mint, type ServerKey } from '../store/store.ts';
import { auditDetailOf, endingOf, rowOf } from './changes.ts';
import { mintId, openMint, sealMint } from './mints.ts';
import { bringBack, bringIn, type Change, changed, isReplaced, KEYS_MOST, retire, works } from './policies.ts';
import { unlessWeak } from './weak.ts';

/** The routes by which an agent replaces its own key: register, mint, retire. */
export function mountKeys(router: Router, hub: Hub): void {
  const api = new KeysApi(hub);
  router.on('POST /api/v1/keys/register', async (c) => c.json(await api.register(c)));
  // First, and past the gate: by now the key that asks may be dead, ended by the very request that this one repeats.
  const before = async (c: Context) => {
    const answer = await api.replay(secretOf(headersOf(c)) ?? '', idempotencyKeyOf(c));
    if (!answer) return undefined;
    await bodyOf(c, mintSchema);
    return c.json(answer);
  };
  router.on('POST /api/v1/keys/mint', async (c) => c.json(await api.mint(c)), { before });
  router.on('POST /api/v1/keys/retire', async (c) => c.json(await api.retire(c)));
}

/** What an agent changed: its server's keys as they are now, and the one that it asked with (undefined: that one is dead). */
interface Outcome {
  keys: ServerKey[];
  asking: ServerKey | undefined;
}

class KeysApi {
  readonly #hub: Hub;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  async register(c: Context<RouteEnv>): Promise<Registered> {
    const caller = callerOf(c);
    const body = await bodyOf(c, registerSchema);
    if (caller.kind === 'credential') return registerCredential(this.#hub, caller.credential, body, addressOf(c));
    if (!('sha256' in body)) throw new Refusal('key_invalid', 'A server has an API key: register the SHA-256 of one.');
    unlessWeak(body.sha256);
    const outcome = await this.#change(c, caller, 'key.register', (keys, asking, now) => {
      const known = keys.find((key) => key.hash === body.sha256);
      if (known && works(known, now)) {
        const back = caller.server.policy === 'grace' && known.slot === 'previous' && asking.slot === 'current';
        return back ? { change: bringBack(caller.server, known, asking, now), about: known } : undefined;
      }
      if (known) throw new Refusal('key_exists', 'This was a key of this server and has ended; make a new one.');
      const fresh = rowOf(caller.server.id, body.sha256, now);
      unlessFull(keys, now);
      return { change: bringIn(caller.server, keys, fresh, now, asking), about: fresh };
    }).catch(taken);
    return standingOf(outcome, body.sha256);
  }

  async mint(c: Context<RouteEnv>): Promise<Minted> {
    const [caller, secret, idempotencyKey] = [callerOf(c), secretOf(headersOf(c)) ?? '', idempotencyKeyOf(c)];
    if (caller.kind === 'credential')
      throw new Refusal('key_invalid', 'A credential of the organisation is made where it is used: register its SHA-256 or public half.');
    if (idempotencyKey === undefined) throw new Refusal('idempotency_key', 'Send an Idempotency-Key of 16 to 128 printable characters.');
    await bodyOf(c, mintSchema);
    const key = randomBytes(32).toString('hex');
    const [id, sealed] = [mintId(secret, idempotencyKey), sealMint(key, secret, idempotencyKey)];
    try {
      const outcome = await this.#change(c, caller, 'key.mint', (keys, asking, now) => {
        const fresh = rowOf(caller.server.id, hashKey(key), now);
        unlessFull(keys, now);
        const mint: Mint = { id, serverId: caller.server.id, sealed, until: now + MINT_KEPT_MS };
        return { change: bringIn(caller.server, keys, fresh, now, asking), about: fresh, mint };
      });
      return { key, ...standingOf(outcome, hashKey(key)), replayed: false };
    } catch (error) {
      // The same request may have come in twice at once, and the other one was quicker.
      const other = await this.replay(secret, idempotencyKey);
      if (other) return other;
      if (!(error instanceof ScoutError && error.code === 'HUB_KEY_EXISTS')) return taken(error);
      throw new Refusal('idempotency_used', 'The key that this request made has ended since; ask with a new Idempotency-Key.');
    }
  }

  async retire(c: Context<RouteEnv>): Promise<Retired> {
    const caller = callerOf(c);
    const { fingerprint } = await bodyOf(c, retireSchema);
    if (caller.kind === 'credential') return retireCredential(this.#hub, caller.credential, fingerprint, addressOf(c));
    let retired = false;
    await this.#change(c, caller, 'key.retire', (keys, asking, now) => {
      if (fingerprintOf(asking) === fingerprint) throw new Refusal('key_in_use', 'This is the key that asks; retire it with another one.');
      const target = keys.find((key) => fingerprintOf(key) === fingerprint);
      if (!target) return undefined;
      retired = works(target, now);
      return { change: retire(keys, fingerprint, asking, now), about: target };
    });
    return { fingerprint, retired };
  }

  /** Changes the keys of the caller's server; where `decide` returns nothing, nothing. Throws what `decide` and the store throw. */
  async #change(
    c: Context<RouteEnv>,
    { server, key }: AgentCaller,
    action: string,
    decide: (keys: ServerKey[], asking: ServerKey, now: number) => { change: Change; about: ServerKey; mint?: Mint } | undefined,
  ): Promise<Outcome> {
    const now = this.#hub.now();
    let outcome: Outcome = { keys: [], asking: undefined };
    await this.#hub.store.changeKeys(server.id, (keys) => {
      // As it is now, under the lock: it may have ended since the gate let it in.
      const asking = keys.find((one) => one.id === key.id);
      if (!asking || !works(asking, now)) throw new Refusal('key_refused', 'This key has ended meanwhile.');
      const decided = decide(keys, asking, now);
      const heir = decided && isReplaced(server, keys, asking, now);
      if (heir) throw replaced(asking, heir);
      const after = decided ? changed(keys, decided.change) : keys;
      outcome = { keys: after, asking: after.find((one) => one.id === asking.id) };
      if (!decided) return {};
      const { change, about, mint } = decided;
      const detail = { by: fingerprintOf(asking), ...auditDetailOf(change, keys, [about]) };
      const [actor, subject] = [`agent:${server.name}`, `server:${server.name}`];
      const audit: AuditEntry = { org: server.org, at: now, actor, action, subject, detail, address: addressOf(c) };
      return { ...change, ended: { at: now, how: endingOf(action) }, audit, ...(mint && { mint }) };
    });
    return outcome;
  }

  /** What an earlier request of the same key and Idempotency-Key made, while that still works. */
  async replay(secret: string, idempotencyKey: string | undefined): Promise<Minted | undefined> {
    if (secret === '' || idempotencyKey === undefined) return undefined;
    const { store } = this.#hub;
    const now = this.#hub.now();
    const mint = await store.mint(mintId(secret, idempotencyKey));
    if (!mint || mint.until <= now) return undefined;
    const key = openMint(mint.sealed, secret, idempotencyKey);
    const keys = await store.keys(mint.serverId);
    const made = keys.find((one) => one.hash === hashKey(key));
    if (!made || !works(made, now)) return undefined;
    const asking = keys.find((one) => one.hash === hashKey(secret));
    // Replaced or past its window it may ask; but not when somebody has shut it out on purpose.
    const ended = asking ? undefined : await store.endedKey(hashKey(secret));
    if (asking?.enabled === false || (ended && ended.how !== 'replaced')) return undefined;
    return { key, ...standingOf({ keys, asking }, made.hash), replayed: true };
  }
}

/** What a key hears that another one has taken the place of. */
function replaced(asking: ServerKey, heir: ServerKey): Refusal {
  const until = asking.validUntil === null ? '' : ` until ${rfc3339(asking.validUntil)}`;
  const detail = `The key with fingerprint ${fingerprintOf(heir)} has taken the place of this one, and is in use`;
  return new Refusal('forbidden', `${detail}: change keys with that one. This one may send heartbeats${until}.`);
}

/** Under `multi` nothing else ends keys: an agent gone wrong must not fill the hub with them. */
function unlessFull(keys: ServerKey[], now: number): void {
  if (keys.filter((key) => works(key, now)).length >= KEYS_MOST)
    throw new Refusal('keys_full', `This server has ${KEYS_MOST} keys that work, and may have no more; retire some first.`);
}

/** What an agent is told of a key that cannot be registered. */
function taken(error: unknown): never {
  const code = error instanceof ScoutError ? error.code : undefined;
  if (code === 'HUB_KEY_EXISTS') throw new Refusal('key_exists', 'This key is another server\u2019s; make a new one.');
  if (code === 'HUB_KEY_ENDED') throw new Refusal('key_exists', 'This key was in use before and has ended; make a new one.');
  throw error;
}

/** What is told of the key of a hash, and until when the one that asked stays good: null where nothing ends it, or it is dead. */
function standingOf({ keys, asking }: Outcome, hash: string): Registered {
  const key = keys.find((one) => one.hash === hash) as ServerKey;
  // Whoever asks with the new key itself, after an answer was lost, wants to know of the old one.
  const old = asking?.hash === hash ? keys.find((one) => one.slot === 'previous' && one.enabled) : asking;
  const until = old?.validUntil ?? null;
  return { fingerprint: fingerprintOf(key), slot: key.slot, previous_key_valid_until: until === null ? null : rfc3339(until) };
}

/** The header as it is, or as a string of RFC 8941 in quotes; undefined where there is none that will do. */
function idempotencyKeyOf(c: Context): string | undefined {
  const sent = c.req.header('idempotency-key') ?? '';
  const text = /^"(.*)"$/.exec(sent)?.[1] ?? sent;
  return /^[\x20-\x7e]{16,128}$/.test(text) ? text : undefined;
}
