/** What the hub keeps. Asynchronous throughout, so that SQLite and PostgreSQL serve behind the same interface and the same tests. */

export type Policy = 'immediate' | 'grace' | 'multi';
export type Slot = 'current' | 'previous' | 'next';

export interface Server {
  id: string;
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
  /** SHA-256 of the key, lower-case hex. The key itself is never kept. */
  hash: string;
  slot: Slot;
  enabled: boolean;
  createdAt: number;
  validUntil: number | null;
  lastUsed: number | null;
}

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

  /** Throws HUB_SERVER_EXISTS for a name that is taken. */
  addServer(server: Server, key: ServerKey): Promise<void>;
  removeServer(id: string): Promise<void>;
  servers(): Promise<Server[]>;
  serverByName(name: string): Promise<Server | undefined>;
  /** How many servers there are, and how many bytes the store takes. */
  size(): Promise<{ servers: number; bytes: number }>;

  keys(serverId: string): Promise<ServerKey[]>;
  findKey(hash: string): Promise<{ server: Server; key: ServerKey } | undefined>;

  /** Notes that a key was used; written at most every few seconds. */
  useKey(key: ServerKey, at: number): Promise<void>;

  /**
   * Stores what is new of a batch and counts the rest as duplicates, durably and in one transaction. All of it is of
   * one server; throws HUB_SERVER_UNKNOWN when that was removed meanwhile.
   */
  accept(server: Server, key: ServerKey, batch: Incoming[], received: number): Promise<{ accepted: number; duplicates: number }>;
  /** Counts a refusal by status; `serverId` null where the key told none. */
  refuse(serverId: string | null, status: number, count: number): Promise<void>;
  refusals(serverId: string): Promise<Record<string, number>>;
  instances(serverId: string): Promise<Instance[]>;

  /** Every server, by name. */
  fleet(): Promise<FleetRow[]>;
  /** The fleet's row of one server. */
  standing(name: string): Promise<FleetRow | undefined>;
  inventory(serverId: string): Promise<string | null>;
  /** Frames sampled in [from, to), oldest first. */
  recent(serverId: string, from: number, to: number): Promise<{ time: number; frame: Uint8Array }[]>;
  /**
   * Drops heartbeats received before a time (`old`), then the oldest ones while the store takes more than `mostBytes` or
   * its disk is nearly full (`excess`), and sessions unseen for a week before the time; what was counted stays.
   */
  prune(before: number, mostBytes: number): Promise<{ old: number; excess: number }>;

  /** Throws HUB_USER_EXISTS for a name that is taken. */
  addUser(user: User): Promise<void>;
  users(): Promise<User[]>;
  userByName(name: string): Promise<User | undefined>;
  addSession(session: Session): Promise<void>;
  session(hash: string): Promise<{ session: Session; user: User } | undefined>;
  touchSession(hash: string, at: number): Promise<void>;
  removeSession(hash: string): Promise<void>;

  close(): Promise<void>;
}
