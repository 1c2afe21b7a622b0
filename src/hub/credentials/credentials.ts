import { generateKeyPair, randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { ScoutError } from '../../support/errors.ts';
import { ROLE_SCOPES } from '../http/scopes.ts';
import { entryFor, hashKey, isKeyLike, type Registry, rfc3339 } from '../servers.ts';
import type { AuditEntry, OrgCredential, Scope } from '../store/store.ts';
import { fingerprintOfKid, type PublicKey, parsePublicKey } from './public-key.ts';

const PAIR_BITS = 3_072;

/** What is told of a credential that was added. */
export interface AddedCredential {
  credential_id: string;
  name: string;
  /** Of a key pair: its RFC 7638 thumbprint. Of an API key: null. */
  kid: string | null;
  fingerprint: string;
  role: OrgCredential['role'];
  scopes: Scope[];
  /** A private key (base64url of PKCS#8 DER) or API key that was made here: shown once, kept nowhere. */
  key?: string;
}

/** A credential as people and scripts see it; times are RFC 3339. */
export interface CredentialView extends AddedCredential {
  enabled: boolean;
  created: string;
  expires: string | null;
  last_used: string | null;
}

export interface NewCredential {
  name: string;
  /** The public half of a key pair, the SHA-256 of an API key, or what to make here: a key pair, an API key. */
  key: CredentialKey | 'pair' | 'api-key';
  role: OrgCredential['role'];
  /** What it may do of what its role may; all of that unless given. */
  scopes?: Scope[];
  /** ms from now; never unless given. */
  lifeMs?: number;
}

/** First 12 hex digits of the thumbprint. */
export const fingerprintOfCredential = ({ kid }: Pick<OrgCredential, 'kid'>): string => fingerprintOfKid(kid);

/** Whether a text may name a credential. */
export const isCredentialName = (text: string): boolean =>
  /^[\p{L}\p{N}][\p{L}\p{N} ._:@-]{0,63}$/u.test(text) && !text.endsWith(' ') && !isKeyLike(text);

/** Whether a credential is let in at a time (ms). */
export const isAlive = ({ enabled, expiresAt }: OrgCredential, now: number): boolean => enabled && (expiresAt === null || expiresAt > now);

/** Adds a credential, with a key that is given or made here. Throws HUB_CREDENTIAL_NAME, HUB_CREDENTIAL_EXISTS. */
export async function addCredential(hub: Registry, { name, key, role, scopes, lifeMs }: NewCredential): Promise<AddedCredential> {
  if (!isCredentialName(name)) throw new ScoutError('HUB_CREDENTIAL_NAME');
  const { secret, held } = await heldOf(key);
  const now = hub.now();
  const allowed = ROLE_SCOPES[role].filter((scope) => scopes?.includes(scope) ?? true);
  const fresh = credentialOf(
    {
      org: hub.org,
      name,
      key: held,
      role,
      scopes: allowed,
      expiresAt: lifeMs === undefined ? null : now + lifeMs,
    },
    now,
  );
  const detail = {
    key: fingerprintOfCredential(fresh),
    role,
    scopes: allowed.join(' '),
    ...(fresh.expiresAt !== null && { until: rfc3339(fresh.expiresAt) }),
  };
  await hub.store.changeCredentials(hub.org, (all) => {
    unlessNamed(all, name);
    return { put: [fresh], audit: entryOf(hub, 'credential.add', fresh, detail) };
  });
  return { ...addedOf(fresh), ...(secret !== undefined && { key: secret }) };
}

const makePair = promisify(generateKeyPair);

/** What a new credential goes by, and the secret of it where it is made here. */
async function heldOf(key: NewCredential['key']): Promise<{ held: CredentialKey; secret?: string }> {
  if (typeof key === 'object') return { held: key };
  if (key === 'api-key') {
    const secret = randomBytes(32).toString('hex');
    return { held: apiKeyOf(hashKey(secret)), secret };
  }
  const { privateKey, publicKey } = await makePair('rsa', { modulusLength: PAIR_BITS });
  const held = parsePublicKey(publicKey.export({ type: 'spki', format: 'der' }).toString('base64url'), 'the key pair');
  return { held, secret: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64url') };
}

/** Every credential, by name. */
export async function listCredentials(hub: Pick<Registry, 'store' | 'org'>): Promise<CredentialView[]> {
  return (await hub.store.credentials(hub.org)).map(viewOf);
}

/** Switches a credential on or off; what is so already stays so. Throws HUB_CREDENTIAL_UNKNOWN. */
export async function enableCredential(hub: Registry, name: string, enabled: boolean): Promise<CredentialView> {
  return changeOne(hub, name, enabled ? 'credential.enable' : 'credential.disable', (one) =>
    one.enabled === enabled ? {} : { put: { ...one, enabled } },
  );
}

/** Gives a credential another name. Throws HUB_CREDENTIAL_UNKNOWN, HUB_CREDENTIAL_NAME, HUB_CREDENTIAL_EXISTS. */
export async function renameCredential(hub: Registry, name: string, to: string): Promise<CredentialView> {
  if (!isCredentialName(to)) throw new ScoutError('HUB_CREDENTIAL_NAME');
  return changeOne(hub, name, 'credential.rename', (one, all) => {
    if (to === one.name) return {};
    unlessNamed(all, to);
    return { put: { ...one, name: to }, detail: { to } };
  });
}

/** Forgets a credential; returns it as it was. Throws HUB_CREDENTIAL_UNKNOWN. */
export async function deleteCredential(hub: Registry, name: string): Promise<CredentialView> {
  return changeOne(hub, name, 'credential.delete', () => ({ drop: true }));
}

interface Decision {
  put?: OrgCredential;
  drop?: boolean;
  detail?: Record<string, string>;
}

async function changeOne(
  hub: Registry,
  name: string,
  action: string,
  decide: (one: OrgCredential, all: OrgCredential[]) => Decision,
): Promise<CredentialView> {
  let result: OrgCredential | undefined;
  await hub.store.changeCredentials(hub.org, (all) => {
    const one = all.find((credential) => credential.name === name);
    // What is no name may be a key that was pasted by mistake, and keys are not repeated.
    const told = isCredentialName(name) && name.length < 64 ? name : '…';
    if (!one) throw new ScoutError('HUB_CREDENTIAL_UNKNOWN', { name: told });
    const { put, drop, detail } = decide(one, all);
    result = put ?? one;
    if (!put && !drop) return {};
    const audit = entryOf(hub, action, one, { key: fingerprintOfCredential(one), ...detail });
    return { ...(put && { put: [put] }), ...(drop && { drop: [one.id] }), audit };
  });
  return viewOf(result as OrgCredential);
}

/** What a credential goes by: the public half of a key pair, or the SHA-256 of an API key. */
export type CredentialKey = PublicKey | { text: null; kid: string };

/** What an organisation's API key goes by. */
export const apiKeyOf = (hash: string): CredentialKey => ({ text: null, kid: hash });

/** A row for a key that was never used. */
export function credentialOf(
  given: Pick<OrgCredential, 'org' | 'name' | 'role' | 'scopes' | 'expiresAt'> & { key: CredentialKey },
  now: number,
): OrgCredential {
  // Named one by one: what is given may be another credential, whose id must not come along.
  const { org, name, role, scopes, expiresAt, key } = given;
  return {
    id: randomUUID(),
    org,
    name,
    role,
    scopes,
    expiresAt,
    kid: key.kid,
    publicKey: key.text,
    enabled: true,
    createdAt: now,
    lastUsed: null,
  };
}

function unlessNamed(all: OrgCredential[], name: string): void {
  if (all.some((one) => one.name === name)) throw new ScoutError('HUB_CREDENTIAL_EXISTS', { what: `the name \`${name}\`` });
}

function addedOf(one: OrgCredential): AddedCredential {
  const { id, name, kid, publicKey, role, scopes } = one;
  return { credential_id: id, name, kid: publicKey === null ? null : kid, fingerprint: fingerprintOfCredential(one), role, scopes };
}

function viewOf(one: OrgCredential): CredentialView {
  const when = (time: number | null) => (time === null ? null : rfc3339(time));
  const [expires, last_used] = [when(one.expiresAt), when(one.lastUsed)];
  return { ...addedOf(one), enabled: one.enabled, created: rfc3339(one.createdAt), expires, last_used };
}

function entryOf(hub: Registry, action: string, { name }: OrgCredential, detail: Record<string, string>): AuditEntry {
  return entryFor(hub, action, `credential:${name}`, detail);
}
