import type {
  AuditEntry,
  AuditLine,
  DecideEnrolment,
  Edit,
  EndedKey,
  FleetRow,
  Founder,
  Incoming,
  Instance,
  KeyEdit,
  KeyUse,
  Mint,
  Organisation,
  OrgCredential,
  Server,
  ServerKey,
  Session,
  Token,
  User,
  UserChange,
} from './records.ts';
import type { StreamStore } from './stream.ts';

export * from './records.ts';

/** What the hub keeps. Asynchronous throughout, so that SQLite and PostgreSQL serve behind the same interface and the same tests. */
export interface Store extends StreamStore {
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
  /** Another policy or window. False when there is no such server. */
  changeServer(server: Server, audit?: AuditEntry): Promise<boolean>;
  /** Its keys end with it, at the time of `audit`, and so do tokens for its name. */
  removeServer(id: string, audit?: AuditEntry): Promise<void>;
  servers(org: string): Promise<Server[]>;
  serverByName(org: string, name: string): Promise<Server | undefined>;
  /** How many servers there are, and how many bytes the store takes. */
  size(): Promise<{ servers: number; bytes: number }>;

  keys(serverId: string): Promise<ServerKey[]>;
  /** The keys of every server of an organisation, the oldest first. */
  keysOf(org: string): Promise<ServerKey[]>;
  /** Keys of a server that ended, as long as they are kept; the latest first. */
  endedKeys(serverId: string): Promise<Omit<EndedKey, 'server'>[]>;
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
  /** Counts refusals by status, the last of them at `at`; `serverId` null where the key told none. */
  refuse(serverId: string | null, status: number, count: number, at: number): Promise<void>;
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
   * its disk is nearly full (`excess`), sessions unseen for a week before the time, keys that ended ENDED_KEPT_MS
   * before it, and instances last heard from INSTANCE_KEPT_MS before it; of all others, what was counted stays.
   */
  prune(before: number, mostBytes: number): Promise<{ old: number; excess: number }>;

  /** Throws HUB_USER_EXISTS for a name that is taken. */
  addUser(user: User, audit?: AuditEntry): Promise<void>;
  /**
   * Another password or role, what is not named stays; with another password all their sessions end. The person as they
   * are now, undefined when there is no such one. Throws HUB_USER_LAST.
   */
  changeUser(id: string, change: UserChange, audit?: AuditEntry): Promise<User | undefined>;
  /** Their sessions end with them. False when there is no such person. Throws HUB_USER_LAST. */
  removeUser(id: string, audit?: AuditEntry): Promise<boolean>;
  users(org: string): Promise<User[]>;
  userByName(name: string): Promise<User | undefined>;
  addSession(session: Session): Promise<void>;
  session(hash: string): Promise<{ session: Session; user: User } | undefined>;
  touchSession(hash: string, at: number): Promise<void>;
  removeSession(hash: string): Promise<void>;
  /** Ends every session of a person; how many there were. */
  removeSessions(userId: string): Promise<number>;

  /** Writes a copy that is whole into a new file, while others go on; it may hold up its own process. Throws HUB_BACKUP. */
  backup(file: string): Promise<void>;

  close(): Promise<void>;
}
