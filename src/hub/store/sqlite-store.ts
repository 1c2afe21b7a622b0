import type { DatabaseSync } from 'node:sqlite';
import { Audit } from './sqlite/audit.ts';
import { backup } from './sqlite/backup.ts';
import { Credentials } from './sqlite/credentials.ts';
import { Heartbeats } from './sqlite/heartbeats.ts';
import { Keys } from './sqlite/keys.ts';
import { openDatabase } from './sqlite/open.ts';
import { Organisations } from './sqlite/organisations.ts';
import { People } from './sqlite/people.ts';
import { Servers } from './sqlite/servers.ts';
import { spareBytes } from './sqlite/spare.ts';
import { SqliteStreamStore } from './sqlite/stream-store.ts';
import { Tokens } from './sqlite/tokens.ts';
import { transaction } from './sqlite/transaction.ts';
import type {
  AuditEntry,
  AuditLine,
  DecideEnrolment,
  Edit,
  EndedKey,
  Founder,
  Incoming,
  KeyEdit,
  KeyUse,
  Mint,
  Organisation,
  OrgCredential,
  Server,
  ServerKey,
  Session,
  Store,
  Token,
  User,
  UserChange,
} from './store.ts';

/**
 * The store over one SQLite file, `hub.db` in the data folder. Several processes may use it at once: what one commits
 * the others see with their next question, for nothing is cached here.
 */
export class SqliteStore extends SqliteStreamStore implements Store {
  readonly #database: DatabaseSync;
  readonly #servers: Servers;
  readonly #keys: Keys;
  readonly #credentials: Credentials;
  readonly #audit: Audit;
  readonly #heartbeats: Heartbeats;
  readonly #organisations: Organisations;
  readonly #people: People;
  readonly #tokens: Tokens;

  /** Opens it, made when missing; `spare` tells how many bytes it may grow. Throws HUB_DATA, HUB_DATA_NEWER. */
  static open(folder: string, spare = () => spareBytes(folder)): SqliteStore {
    return new SqliteStore(openDatabase(folder), spare);
  }

  constructor(database: DatabaseSync, spare: () => number) {
    super(database);
    this.#database = database;
    this.#audit = new Audit(database);
    this.#keys = new Keys(database, this.#audit);
    this.#credentials = new Credentials(database, this.#audit);
    this.#servers = new Servers(database, this.#keys, this.#audit);
    this.#heartbeats = new Heartbeats(database, spare);
    this.#organisations = new Organisations(database, this.#audit);
    this.#people = new People(database, this.#audit);
    this.#tokens = new Tokens(database, { servers: this.#servers, keys: this.#keys, audit: this.#audit });
  }

  async serviceId(): Promise<string> {
    return String(this.#database.prepare(`SELECT value FROM meta WHERE name = 'service_id'`).get()?.value);
  }

  async organisations(): Promise<Organisation[]> {
    return this.#organisations.all();
  }

  async organisationByName(name: string): Promise<Organisation | undefined> {
    return this.#organisations.byName(name);
  }

  async addOrganisation(organisation: Organisation, audit?: AuditEntry): Promise<void> {
    this.#organisations.add(organisation, audit);
  }

  async removeOrganisation(id: string, audit?: AuditEntry): Promise<void> {
    this.#organisations.remove(id, audit);
  }

  async addServer(server: Server, key: ServerKey, audit?: AuditEntry): Promise<void> {
    this.#servers.add(server, key, audit);
  }

  async changeServer(server: Server, audit?: AuditEntry): Promise<boolean> {
    return this.#servers.change(server, audit);
  }

  async removeServer(id: string, audit?: AuditEntry): Promise<void> {
    const number = this.#servers.remove(id, audit);
    if (number === undefined) return;
    await this.#heartbeats.forget(number);
    await this.forgetRollups(number);
  }

  async servers(org: string): Promise<Server[]> {
    return this.#servers.all(org);
  }

  async serverByName(org: string, name: string): Promise<Server | undefined> {
    return this.#servers.byName(org, name);
  }

  async size(): Promise<{ servers: number; bytes: number }> {
    return this.#servers.size();
  }

  async keys(serverId: string): Promise<ServerKey[]> {
    return this.#keys.of(serverId);
  }

  async keysOf(org: string): Promise<ServerKey[]> {
    return this.#keys.ofAll(org);
  }

  async endedKeys(serverId: string) {
    return this.#keys.endedOf(serverId);
  }

  async findKey(hash: string): Promise<{ server: Server; key: ServerKey } | undefined> {
    return this.#servers.findKey(hash);
  }

  async endedKey(hash: string): Promise<EndedKey | undefined> {
    return this.#servers.endedKey(hash);
  }

  async useKey(key: KeyUse, at: number): Promise<void> {
    this.#heartbeats.useKey(key, at);
  }

  async changeKeys(serverId: string, decide: (keys: ServerKey[]) => KeyEdit): Promise<void> {
    this.#keys.change(serverId, decide);
  }

  async mint(id: string): Promise<Mint | undefined> {
    return this.#keys.mint(id);
  }

  async serverForHost(org: string, name: string, now: number, by: Founder): Promise<Server | undefined> {
    return this.#servers.forHost(org, name, now, by);
  }

  async addToken(token: Token, audit?: AuditEntry): Promise<void> {
    this.#tokens.add(token, audit);
  }

  async tokens(org: string): Promise<Token[]> {
    return this.#tokens.all(org);
  }

  async removeToken(hash: string, audit?: AuditEntry): Promise<boolean> {
    return this.#tokens.remove(hash, audit);
  }

  async enroll(hash: string, decide: DecideEnrolment): Promise<void> {
    this.#tokens.enroll(hash, decide);
  }

  async credentials(org: string): Promise<OrgCredential[]> {
    return this.#credentials.all(org);
  }

  async credentialByKid(kid: string): Promise<OrgCredential | undefined> {
    return this.#credentials.byKid(kid);
  }

  async changeCredentials(org: string, decide: (all: OrgCredential[]) => Edit<OrgCredential>): Promise<void> {
    this.#credentials.change(org, decide);
  }

  async audit(entry: AuditEntry): Promise<void> {
    transaction(this.#database, () => this.#audit.append(entry));
  }

  async auditTrail(org: string, from: number, most: number): Promise<AuditLine[]> {
    return this.#audit.trail(org, from, most);
  }

  accept(server: Server, key: KeyUse, batch: Incoming[], received: number): Promise<{ accepted: number; duplicates: number }> {
    return this.#heartbeats.accept(server, key, batch, received);
  }

  async refuse(serverId: string | null, status: number, count: number, at: number): Promise<void> {
    this.#servers.refuse(serverId, status, count, at);
  }

  async refusals(serverId: string): Promise<Record<string, number>> {
    return this.#servers.refusals(serverId);
  }

  async instances(serverId: string) {
    return this.#heartbeats.instances(serverId);
  }

  async fleet(org: string) {
    return this.#servers.fleet(org);
  }

  async standing(org: string, name: string) {
    return this.#servers.standing(org, name);
  }

  async inventory(serverId: string): Promise<string | null> {
    return this.#servers.inventory(serverId);
  }

  async recent(serverId: string, from: number, to: number) {
    return this.#heartbeats.recent(serverId, from, to);
  }

  prune(before: number, mostBytes: number) {
    return this.#heartbeats.prune(before, mostBytes);
  }

  async addUser(user: User, audit?: AuditEntry): Promise<void> {
    this.#people.add(user, audit);
  }

  async changeUser(id: string, change: UserChange, audit?: AuditEntry): Promise<User | undefined> {
    return this.#people.change(id, change, audit);
  }

  async removeUser(id: string, audit?: AuditEntry): Promise<boolean> {
    return this.#people.remove(id, audit);
  }

  async users(org: string): Promise<User[]> {
    return this.#people.all(org);
  }

  async userByName(name: string): Promise<User | undefined> {
    return this.#people.byName(name);
  }

  async addSession(session: Session): Promise<void> {
    this.#people.addSession(session);
  }

  async session(hash: string) {
    return this.#people.session(hash);
  }

  async touchSession(hash: string, at: number): Promise<void> {
    this.#people.touchSession(hash, at);
  }

  async removeSession(hash: string): Promise<void> {
    this.#people.removeSession(hash);
  }

  async removeSessions(userId: string): Promise<number> {
    return this.#people.removeSessions(userId);
  }

  async backup(file: string): Promise<void> {
    this.#heartbeats.flush();
    backup(this.#database, file);
  }

  async close(): Promise<void> {
    this.#heartbeats.flush();
    this.#database.close();
  }
}
