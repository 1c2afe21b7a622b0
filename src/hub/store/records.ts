import type { Link } from '../../support/chain.ts';

/* What the hub keeps, as records; `store.ts` has what is done with them. */

export type Policy = 'immediate' | 'grace' | 'multi';
export type Slot = 'current' | 'previous' | 'next';

/** Who owns servers, credentials and people, and sees nothing of the others'. */
export interface Organisation {
  id: string;
  /** Unique. */
  name: string;
  createdAt: number;
}

/** Id of the organisation that every hub has: what belongs to none in particular is its. */
export const DEFAULT_ORGANISATION = 'default';

export interface Server {
  id: string;
  /** Id of its organisation. */
  org: string;
  /** Unique in its organisation. */
  name: string;
  policy: Policy;
  /** Grace window in ms; meaningful for `grace`. */
  graceMs: number;
  /** ms since the epoch, as all times here. */
  createdAt: number;
}

export interface ServerKey {
  id: string;
  serverId: string;
  /** What people call it; meaningful under `multi`. */
  name: string | null;
  /** SHA-256 of the key, lower-case hex. The key itself is never kept. */
  hash: string;
  slot: Slot;
  enabled: boolean;
  createdAt: number;
  validUntil: number | null;
  lastUsed: number | null;
}

/** The key, or the credential, that a batch came in with. */
export type KeyUse = Pick<ServerKey, 'id' | 'hash' | 'slot' | 'lastUsed'>;

/** What a credential may do: `hub/http/scopes.ts` tells which routes each opens. */
export type Scope = 'heartbeats' | 'fleet' | 'keys' | 'admin';

/** What stands for an organisation, used by any of its hosts: an RSA public key, or a key as one server's is. */
export interface OrgCredential {
  id: string;
  /** Id of its organisation. */
  org: string;
  /** Unique in its organisation. */
  name: string;
  role: 'admin' | 'member';
  scopes: Scope[];
  /** RFC 7638 thumbprint of the public key, base64url; or the SHA-256 of the key, hex. Unique over all. */
  kid: string;
  /** SPKI DER, base64url; null for a key that is kept by its SHA-256 alone. */
  publicKey: string | null;
  enabled: boolean;
  createdAt: number;
  expiresAt: number | null;
  lastUsed: number | null;
}

/** The credential whose heartbeat registers the server of a host. */
export interface Founder {
  /** As the audit trail names it: `credential:ci-v2`. */
  actor: string;
  /** Its name without the version: versions of one credential share what they may register. */
  family: string;
  address: string | null;
  /** How many servers may stand that the family has registered; null: any number. */
  most: number | null;
}

/** One thing that happened, for the audit trail. Fingerprints, never keys. */
export interface AuditEntry {
  /** Id of the organisation whose trail it goes into; no part of the line. */
  org: string;
  at: number;
  /** Who: `cli:root`, `agent:web-1`, `credential:ci`, `user:ann`. */
  actor: string;
  /** What: `key.rotate`, `key.retire`, `credential.disable`, … */
  action: string;
  /** On what: `server:web-1`, `credential:ci-v2`. */
  subject: string;
  detail: Record<string, string>;
  /** Where from, as the hub saw it; null on the command line. */
  address: string | null;
}

/** A line of an organisation's audit trail. */
export type AuditLine = Omit<AuditEntry, 'org'> & Link;

/** How long a minted key is kept for the same request to come again, in ms. */
export const MINT_KEPT_MS = 86_400_000;

/** A key that was minted for an agent, kept for a day so that the same request brings the same key. */
export interface Mint {
  /**
   * SHA-256 over the hash of the key that asked and the Idempotency-Key, hex. Nothing of the server: the key that asked
   * may be gone by the time the request comes again, and with it the only way from the request to its server.
   */
  id: string;
  serverId: string;
  /** The new key, sealed under the old key and the Idempotency-Key, neither of which is kept. */
  sealed: Uint8Array;
  until: number;
}

/** Why a key ended: another took its place, it was retired, deleted by hand, or its server was removed. */
export type Ending = 'replaced' | 'retired' | 'deleted' | 'removed';

/** How long the hash of a key that ended is kept at least, in ms. */
export const ENDED_KEPT_MS = 90 * 86_400_000;

/** How long an agent instance that is heard from no more is kept at least, in ms; should it come back, it is a new one. */
export const INSTANCE_KEPT_MS = 90 * 86_400_000;

/** A key that is no more: whoever still sends it is told so, and nobody can bring it back. */
export interface EndedKey {
  hash: string;
  /** Undefined when that was removed, with the key or later. */
  server: Server | undefined;
  endedAt: number;
  how: Ending;
}

/** Leave to enrol one host, given out once. */
export interface Token {
  /** SHA-256 of its secret, hex. The secret itself is never kept. */
  hash: string;
  /** Id of its organisation. */
  org: string;
  /** The server that it is for; there need be none of that name yet. */
  serverName: string;
  /** What the server gets when it is registered by this token. */
  policy: Policy;
  graceMs: number;
  createdAt: number;
  expiresAt: number;
  usedAt: number | null;
  /** SHA-256 of the key that it was used for. */
  usedFor: string | null;
}

/** What a change of keys comes to: rows to write (by id), ids to delete, and its line in the audit trail. */
export interface Edit<Row> {
  put?: Row[];
  drop?: string[];
  audit?: AuditEntry;
}

/** A change of a server's keys: `ended` says when and why those that are dropped end, `mint` is stored with it. */
export type KeyEdit = Edit<ServerKey> & { ended?: { at: number; how: Ending }; mint?: Mint };

/** What an enrolment comes to: the token as used, the server to register where there is none, and the change of its keys. */
export interface Enrolment extends Omit<KeyEdit, 'mint'> {
  token: Token;
  register?: Server;
}

/** Decides over an enrolment; `server` is the one of the token's name. */
export type DecideEnrolment = (token: Token | undefined, server: Server | undefined, keys: ServerKey[]) => Enrolment | undefined;

/** What was received from one agent instance. */
export interface Instance {
  id: string;
  serverId: string;
  firstSequence: number;
  lastSequence: number;
  accepted: number;
  duplicates: number;
  /** Inclusive ranges not yet seen between first and last. */
  gaps: [number, number][];
}

/** One heartbeat on its way into the store. */
export interface Incoming {
  instance: string;
  sequence: number;
  /** When it was sampled. */
  time: number;
  /** Seconds. */
  interval: number;
  /** Its JSON, compressed as one zstd frame, as it came or packed here. */
  frame: Uint8Array;
  /** JSON of the inventory, when this heartbeat carried one. */
  inventory: string | null;
  agentVersion: string;
  hostName: string;
}

/** One row of the fleet page. */
export interface FleetRow {
  server: Server;
  /**
   * Fingerprint (12 hex) and slot of the key last used, and since when it is there: null where it has ended, or is a
   * credential's. Null before the first heartbeat.
   */
  key: { fingerprint: string; slot: Slot; createdAt: number | null } | null;
  /**
   * When the latest heartbeat was sampled and received, its interval in seconds, who sent it, and since when they have
   * come in without a break: the first one received after the last time that one was late.
   */
  latest: { time: number; received: number; interval: number; agentVersion: string; hostName: string; aliveSince: number } | null;
  accepted: number;
  /** When a request with one of its keys was last refused for the key (401) or for what it may (403). */
  refusedAt: number | null;
}

export interface User {
  id: string;
  /** Id of the organisation that is seen after signing in. */
  org: string;
  /** Unique over all organisations. */
  name: string;
  role: 'admin' | 'member';
  /** scrypt, with its parameters and salt. */
  passwordHash: string;
}

/** What of a person may become another, by itself: somebody else may change the rest at the same moment. */
export type UserChange = Partial<Pick<User, 'role' | 'passwordHash'>>;

export interface Session {
  /** SHA-256 of the cookie's value. */
  hash: string;
  userId: string;
  createdAt: number;
  lastSeen: number;
}
