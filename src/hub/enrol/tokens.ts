import { createHash, randomBytes } from 'node:crypto';
import { tokenText } from '../../protocol/enroll.ts';
import { ScoutError } from '../../support/errors.ts';
import { entryFor, isServerName, type Registry, rfc3339 } from '../servers.ts';
import type { AuditEntry, Policy, Token } from '../store/store.ts';

/** What a token is to be for. */
export interface Wanted {
  server: string;
  policy: Policy;
  graceMs: number;
  /** How long it is good, ms. */
  lifeMs: number;
  /** SHA-256 of the certificate (DER, hex) of the authority that the hub serves by; null where it is not one of its own. */
  authority: string | null;
}

/** A token that was made. */
export interface MadeToken {
  /** Shown once, kept nowhere. */
  token: string;
  fingerprint: string;
  server: string;
  /** RFC 3339. */
  expires: string;
  /** Whether there is such a server already, whose policy then stands. */
  known: boolean;
}

/** A token as people and scripts see it. */
export interface TokenView {
  fingerprint: string;
  server: string;
  state: 'open' | 'used' | 'expired';
  created: string;
  expires: string;
  used: string | null;
  /** Fingerprint of the key that it was used for. */
  used_for: string | null;
}

/** SHA-256 of a token's secret, hex: how tokens are kept and looked up. */
export const hashToken = (secret: string): string => createHash('sha256').update(secret).digest('hex');
/** What people call a token by. */
export const fingerprintOfToken = ({ hash }: Pick<Token, 'hash'>): string => hash.slice(0, 12);

/** Makes a token by which one host enrols, once. Throws HUB_SERVER_NAME. */
export async function createToken(hub: Registry, wanted: Wanted): Promise<MadeToken> {
  const { server, policy, graceMs, authority } = wanted;
  if (!isServerName(server)) throw new ScoutError('HUB_SERVER_NAME', {});
  const secret = randomBytes(32).toString('base64url');
  const now = hub.now();
  const expiresAt = now + wanted.lifeMs;
  const token: Token = {
    hash: hashToken(secret),
    org: hub.org,
    serverName: server,
    policy,
    graceMs,
    createdAt: now,
    expiresAt,
    usedAt: null,
    usedFor: null,
  };
  const known = await hub.store.serverByName(hub.org, server);
  await hub.store.addToken(token, entryOf(hub, 'token.create', token, { until: rfc3339(expiresAt) }));
  const fingerprint = fingerprintOfToken(token);
  return { token: tokenText({ secret, authority }), fingerprint, server, expires: rfc3339(expiresAt), known: known !== undefined };
}

/** Every token that is kept, the newest first. */
export async function listTokens(hub: Registry): Promise<TokenView[]> {
  const now = hub.now();
  return (await hub.store.tokens(hub.org)).map((token) => viewOf(token, now));
}

/** Ends a token, by its fingerprint. Throws HUB_TOKEN_UNKNOWN. */
export async function revokeToken(hub: Registry, fingerprint: string): Promise<TokenView> {
  const token = (await hub.store.tokens(hub.org)).find((one) => fingerprintOfToken(one) === fingerprint);
  const removed = token && (await hub.store.removeToken(token.hash, entryOf(hub, 'token.revoke', token, {})));
  if (!token || !removed) throw new ScoutError('HUB_TOKEN_UNKNOWN');
  return viewOf(token, hub.now());
}

function viewOf(token: Token, now: number): TokenView {
  return {
    fingerprint: fingerprintOfToken(token),
    server: token.serverName,
    state: token.usedAt !== null ? 'used' : token.expiresAt <= now ? 'expired' : 'open',
    created: rfc3339(token.createdAt),
    expires: rfc3339(token.expiresAt),
    used: token.usedAt === null ? null : rfc3339(token.usedAt),
    used_for: token.usedFor?.slice(0, 12) ?? null,
  };
}

function entryOf(hub: Registry, action: string, token: Token, detail: Record<string, string>): AuditEntry {
  return entryFor(hub, action, `server:${token.serverName}`, { token: fingerprintOfToken(token), ...detail });
}
