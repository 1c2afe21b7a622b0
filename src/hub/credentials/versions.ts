import type { Registered, Registration, Retired } from '../../protocol/keys.ts';
import { ScoutError } from '../../support/errors.ts';
import { Refusal } from '../http/problems.ts';
import { holds } from '../http/scopes.ts';
import type { Hub } from '../hub.ts';
import { KEYS_MOST } from '../keys/policies.ts';
import { unlessWeak } from '../keys/weak.ts';
import { rfc3339 } from '../servers.ts';
import type { AuditEntry, OrgCredential } from '../store/store.ts';
import { apiKeyOf, type CredentialKey, credentialOf, fingerprintOfCredential, isAlive } from './credentials.ts';
import { parsePublicKey } from './public-key.ts';

/*
 * How a credential of the organisation replaces itself: it registers the public half of a new key as NAME-v2, and once
 * that works ends the old one. Which ones are versions of one credential, their names tell.
 */

type Asked = Pick<Hub, 'store' | 'now'>;

/**
 * Registers a key of the same kind (base64url of SPKI DER, or the SHA-256 of an API key) as the next version of the
 * credential that asks, with its role, scopes and expiry. For a key that is a living version of it already nothing
 * changes, and the answer is the same. Throws a Refusal: 400 for what is no such key, 401 when the credential that asks has ended meanwhile, 409 for a key of another.
 */
export async function registerCredential(
  hub: Asked,
  asking: OrgCredential,
  body: Registration,
  address: string | null,
): Promise<Registered> {
  const key = keyOf(body, asking);
  if (key.text === null && (await hub.store.findKey(key.kid)))
    throw new Refusal('key_exists', 'This key is a server\u2019s; make a new one.');
  const now = hub.now();
  let result = asking;
  await hub.store.changeCredentials(asking.org, (all) => {
    const self = unlessEnded(all, asking, now);
    const known = all.find(({ kid }) => kid === key.kid);
    if (known && (familyOf(known.name) !== familyOf(self.name) || !isAlive(known, now)))
      throw new Refusal('key_exists', 'This key is another credential\u2019s, or of one that has ended; make a new one.');
    if (!known && all.filter((one) => familyOf(one.name) === familyOf(self.name) && isAlive(one, now)).length >= KEYS_MOST)
      throw new Refusal('keys_full', `There are ${KEYS_MOST} versions of this credential, and may be no more; retire some first.`);
    result = known ?? credentialOf({ ...self, name: nextName(all, self.name), key }, now);
    if (known) return {};
    const detail = { key: fingerprintOfCredential(result), by: fingerprintOfCredential(self) };
    return { put: [result], audit: entryOf(self, 'credential.register', result.name, detail, now, address) };
  });
  return {
    fingerprint: fingerprintOfCredential(result),
    slot: 'current',
    previous_key_valid_until: asking.expiresAt === null ? null : rfc3339(asking.expiresAt),
    name: result.name,
    // By these an agent would sign tokens, which it does with a key pair only.
    ...(result.publicKey !== null && { credential_id: result.id, kid: result.kid }),
  };
}

/** Whoever sent with a credential in this time may be off at the moment, and would find itself shut out, ms. */
const IN_USE_MS = 24 * 3_600_000;
/** Servers that are named to who would shut them out. */
const NAMED_MOST = 5;

/**
 * Disables another credential by its fingerprint: one of the versions of the credential that asks, or any with the scope
 * admin. Throws a Refusal: 409 for the one that asks and for one that servers still send with, 403 for one that is not its
 * own, 401 when it has ended meanwhile.
 */
export async function retireCredential(hub: Asked, asking: OrgCredential, fingerprint: string, address: string | null): Promise<Retired> {
  const now = hub.now();
  const users = await usersOf(hub, asking.org, fingerprint);
  let retired = false;
  await hub.store.changeCredentials(asking.org, (all) => {
    const self = unlessEnded(all, asking, now);
    if (fingerprintOfCredential(self) === fingerprint)
      throw new Refusal('key_in_use', 'This is the credential that asks; retire it with another one.');
    const target = all.find((one) => fingerprintOfCredential(one) === fingerprint);
    retired = target !== undefined && isAlive(target, now);
    if (!target?.enabled) return {};
    if (familyOf(target.name) !== familyOf(self.name) && !self.scopes.includes('admin'))
      throw new Refusal('forbidden', `The credential ${self.name} may retire versions of itself only; others need the scope admin.`);
    if (retired && users.length > 0) throw stillUsed(target.name, users, holds(self.scopes, 'fleet'));
    const detail = { key: fingerprint, by: fingerprintOfCredential(self) };
    return { put: [{ ...target, enabled: false }], audit: entryOf(self, 'credential.retire', target.name, detail, now, address) };
  });
  return { fingerprint, retired };
}

/** Names of the servers whose latest heartbeat came with a credential, of late. */
async function usersOf({ store, now }: Asked, org: string, fingerprint: string): Promise<string[]> {
  const since = now() - IN_USE_MS;
  return (await store.fleet(org))
    .filter(({ key, latest }) => key?.fingerprint === fingerprint && latest !== null && latest.received > since)
    .map(({ server }) => server.name);
}

/** An agent knows of its own host alone: it must not shut the others out. `named`: whether it may read their names. */
function stillUsed(name: string, users: string[], named: boolean): Refusal {
  const names = users.slice(0, NAMED_MOST).join(', ') + (users.length > NAMED_MOST ? ', …' : '');
  const who = `${users.length} ${users.length === 1 ? 'server' : 'servers'}${named ? ` (${names})` : ''}`;
  const detail = `The credential ${name} was used for the latest heartbeat of ${who}, in the last 24 hours`;
  return new Refusal('key_in_use', `${detail}: let them change over first, or disable it on the hub.`);
}

/** What all versions of a credential have in common: its name without `-v2`. */
export const familyOf = (name: string): string => name.replace(/-v[1-9]\d{0,8}$/, '');

/**
 * NAME-v2, or one more than the highest version there is. It may be longer than a name that people give: were its end cut,
 * it would be no version of NAME any more.
 */
export function nextName(all: Pick<OrgCredential, 'name'>[], name: string): string {
  const family = familyOf(name);
  const versions = [...all, { name }]
    .filter((one) => familyOf(one.name) === family)
    .map((one) => Number(one.name.slice(family.length + 2)) || 1);
  const names = new Set(all.map((one) => one.name));
  for (let version = Math.max(...versions) + 1; ; version++) {
    const next = `${family}-v${version}`;
    if (!names.has(next)) return next;
  }
}

/** The row of the one that asks as it is now, under the lock: it may have ended since the gate let it in. */
function unlessEnded(all: OrgCredential[], { id }: OrgCredential, now: number): OrgCredential {
  const self = all.find((one) => one.id === id);
  if (!self || !isAlive(self, now)) throw new Refusal('key_refused', 'This credential has ended meanwhile.');
  return self;
}

function keyOf(body: Registration, { publicKey }: OrgCredential): CredentialKey {
  if ('sha256' in body) {
    if (publicKey !== null) throw new Refusal('key_invalid', 'This credential has a key pair: register the public half of one.');
    unlessWeak(body.sha256);
    return apiKeyOf(body.sha256);
  }
  if (publicKey === null) throw new Refusal('key_invalid', 'This credential has an API key: register the SHA-256 of one.');
  try {
    return parsePublicKey(body.public_key, 'public_key');
  } catch (error) {
    if (error instanceof ScoutError) throw new Refusal('key_invalid', `${error.problem.message}.`);
    throw error;
  }
}

function entryOf(
  { org, name }: OrgCredential,
  action: string,
  subject: string,
  detail: Record<string, string>,
  at: number,
  address: string | null,
): AuditEntry {
  return { org, at, actor: `credential:${name}`, action, subject: `credential:${subject}`, detail, address };
}
