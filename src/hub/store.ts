import type { Link } from '../support/chain.ts';

/** What the hub keeps. Asynchronous throughout, so that SQLite and PostgreSQL serve behind the same interface and the same tests. */

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

/** What a credential may do: `hub/scopes.ts` tells which routes each opens. */
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
  /** Fingerprint (12 hex) and slot of the key last used; null before the first heartbeat. */
  key: { fingerprint: string; slot: Slot } | null;
  /**
   * When the latest heartbeat was sampled and received, its interval in seconds, who sent it, and since when they have
   * come in without a break: the first one received after the last time that one was late.
   */
  latest: { time: number; received: number; interval: number; agentVersion: string; hostName: string; aliveSince: number } | null;
  accepted: number;
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

export interface Session {
  /** SHA-256 of the cookie's value. */
  hash: string;
  userId: string;
  createdAt: number;
  lastSeen: number;
}

export interface Store {
  /** Identity of this installation: made once, kept. */
  serviceId(): Promise<string>;

  /** Every organisation, by name; the default one is always there. */
  organisations(): Promise<Organisation[]>;
  organisationByName(name: string): Promise<Organisation | undefined>;
  /** Throws HUB_ORGANISATION_EXISTS for a name that is taken. */
  addOrganisation(organisation: Organisation, audit?: AuditEntry): Promise<void>;
  /** Its tokens, people and credentials go with it, its audit trail stays. Throws HUB_ORGANISATION_IN_USE while it has servers. */
  removeOrganisation(id: string, audit?: AuditEntry): Promise<void>;

  /** Throws HUB_SERVER_EXISTS for a name that is taken. */
  addServer(server: Server, key: ServerKey, audit?: AuditEntry): Promise<void>;
  /** Its keys end with it, at the time of `audit`, and so do tokens for its name. */
  removeServer(id: string, audit?: AuditEntry): Promise<void>;
  servers(org: string): Promise<Server[]>;
  serverByName(org: string, name: string): Promise<Server | undefined>;
  /** How many servers there are, and how many bytes the store takes. */
  size(): Promise<{ servers: number; bytes: number }>;

  keys(serverId: string): Promise<ServerKey[]>;
  findKey(hash: string): Promise<{ server: Server; key: ServerKey } | undefined>;
  /** A key that was dropped or removed in the last ENDED_KEPT_MS at least. */
  endedKey(hash: string): Promise<EndedKey | undefined>;

  /**
   * Notes that a key, or a credential, was used; written at most every few seconds. The first use of a `next` key makes
   * it the current one, and that one previous; so does `accept`.
   */
  useKey(key: KeyUse, at: number): Promise<void>;
  /**
   * Changes the keys of a server in one transaction, with what `decide` makes of those there are. What `decide` throws
   * undoes all. Throws HUB_KEY_EXISTS for a key that another server has and for a mint that is there already,
   * HUB_KEY_ENDED for a new key that has ended before, HUB_SERVER_UNKNOWN.
   */
  changeKeys(serverId: string, decide: (keys: ServerKey[]) => KeyEdit): Promise<void>;
  /** As it was stored, also when its time is over: `until` tells. */
  mint(id: string): Promise<Mint | undefined>;
  /**
   * The server of that name; registered without a key (policy `multi`) when there is none, with its line in the audit
   * trail. Undefined when the founder has registered all that it may.
   */
  serverForHost(org: string, name: string, now: number, by: Founder): Promise<Server | undefined>;

  /** Keeps a token. Pruning drops those that ended a week before the time that it is given. */
  addToken(token: Token, audit?: AuditEntry): Promise<void>;
  /** Every token of an organisation, the newest first. */
  tokens(org: string): Promise<Token[]>;
  /** Forgets a token; false when there is none of that hash. */
  removeToken(hash: string, audit?: AuditEntry): Promise<boolean>;
  /**
   * Enrols a host in one transaction, with what `decide` makes of a token, of its server and of that one's keys; nothing
   * changes where it returns nothing. What `decide` throws undoes all. Throws HUB_KEY_EXISTS for a key that another server has,
   * HUB_KEY_ENDED for one that has ended before.
   */
  enroll(hash: string, decide: DecideEnrolment): Promise<void>;

  credentials(org: string): Promise<OrgCredential[]>;
  credentialByKid(kid: string): Promise<OrgCredential | undefined>;
  /** Like `changeKeys`, for all credentials of an organisation. Throws HUB_CREDENTIAL_EXISTS for a name or key that is taken. */
  changeCredentials(org: string, decide: (all: OrgCredential[]) => Edit<OrgCredential>): Promise<void>;

  /** Adds a line to an organisation's audit trail; changes of keys, credentials, servers and users bring theirs along. */
  audit(entry: AuditEntry): Promise<void>;
  /** Lines of an organisation's audit trail from a number on, oldest first. */
  auditTrail(org: string, from: number, most: number): Promise<AuditLine[]>;

  /**
   * Stores what is new of a batch and counts the rest as duplicates, durably and in one transaction. All of it is of
   * one server; throws HUB_SERVER_UNKNOWN when that was removed meanwhile.
   */
  accept(server: Server, key: KeyUse, batch: Incoming[], received: number): Promise<{ accepted: number; duplicates: number }>;
  /** Counts a refusal by status; `serverId` null where the key told none. */
  refuse(serverId: string | null, status: number, count: number): Promise<void>;
  refusals(serverId: string): Promise<Record<string, number>>;
  instances(serverId: string): Promise<Instance[]>;

  /** Every server of an organisation, by name. */
  fleet(org: string): Promise<FleetRow[]>;
  /** The fleet's row of one server. */
  standing(org: string, name: string): Promise<FleetRow | undefined>;
  inventory(serverId: string): Promise<string | null>;
  /** Frames sampled in [from, to), oldest first. */
  recent(serverId: string, from: number, to: number): Promise<{ time: number; frame: Uint8Array }[]>;
  /**
   * Drops heartbeats received before a time (`old`), then the oldest ones while the store takes more than `mostBytes` or
   * its disk is nearly full (`excess`), sessions unseen for a week before the time, and keys that ended ENDED_KEPT_MS
   * before it; what was counted stays.
   */
  prune(before: number, mostBytes: number): Promise<{ old: number; excess: number }>;

  /** Throws HUB_USER_EXISTS for a name that is taken. */
  addUser(user: User, audit?: AuditEntry): Promise<void>;
  /** Another password or role; with another password all their sessions end. False when there is no such person. */
  changeUser(user: User, audit?: AuditEntry): Promise<boolean>;
  /** Their sessions end with them. False when there is no such person. */
  removeUser(id: string, audit?: AuditEntry): Promise<boolean>;
  users(org: string): Promise<User[]>;
  userByName(name: string): Promise<User | undefined>;
  addSession(session: Session): Promise<void>;
  session(hash: string): Promise<{ session: Session; user: User } | undefined>;
  touchSession(hash: string, at: number): Promise<void>;
  removeSession(hash: string): Promise<void>;
  /** Ends every session of a person; how many there were. */
  removeSessions(userId: string): Promise<number>;

  close(): Promise<void>;
}
