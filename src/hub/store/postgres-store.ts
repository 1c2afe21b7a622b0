import { ScoutError } from '../../support/errors.ts';
import { addressOf } from './postgres/address.ts';
import { appendAudit, auditTrail } from './postgres/audit.ts';
import { changeCredentials, credentialByKid, credentials } from './postgres/credentials.ts';
import { Database } from './postgres/database.ts';
import { Heartbeats } from './postgres/heartbeats.ts';
import { changeKeys, endedKeysOf, keysOf, keysOfAll, mintOf } from './postgres/keys.ts';
import { migrate } from './postgres/migrations.ts';
import { addOrganisation, organisationByName, organisations, removeOrganisation } from './postgres/organisations.ts';
import { addSession, addUser, changeUser, removeSessions, removeUser, session, userByName, users } from './postgres/people.ts';
import { forgetRollups } from './postgres/rollups.ts';
import { instances } from './postgres/sequences.ts';
import {
  addServer,
  changeServer,
  endedKey,
  findKey,
  fleet,
  inventory,
  refusals,
  refuse,
  removeServer,
  serverByName,
  serverForHost,
  servers,
  size,
} from './postgres/servers.ts';
import { PostgresStreamStore } from './postgres/stream-store.ts';
import { addToken, enroll, removeToken, tokens } from './postgres/tokens.ts';
import { isWorthNoting, noteUses } from './postgres/uses.ts';
import { forget, prune, recent } from './postgres/window.ts';
import type {
  AuditEntry,
  DecideEnrolment,
  Edit,
  Founder,
  Incoming,
  KeyEdit,
  KeyUse,
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
 * The store in a PostgreSQL database, for several hubs at once: what one commits the others see with their next
 * question, for nothing is cached here. Every method throws HUB_DATABASE while the database does not answer, and works
 * again as soon as it does.
 */
export class PostgresStore extends PostgresStreamStore implements Store {
  readonly #database: Database;
  readonly #heartbeats: Heartbeats;

  /**
   * Opens it by its address (postgres/address.ts), the schema made when missing. `onChange` hears when the database is
   * lost (why) and when it is back (null). Throws HUB_DATABASE, HUB_DATABASE_ADDRESS, HUB_DATA_NEWER.
   */
  static async open(url: string, onChange?: (fault: string | null) => void): Promise<PostgresStore> {
    const database = new Database(addressOf(url), onChange);
    try {
      await migrate(database);
    } catch (error) {
      await database.close();
      throw error;
    }
    return new PostgresStore(database);
  }

  constructor(database: Database) {
    super(database);
    this.#database = database;
    this.#heartbeats = new Heartbeats(database);
  }

  async serviceId(): Promise<string> {
    const [row] = await this.#database.run((sql) => sql`SELECT value FROM meta WHERE name = 'service_id'`);
    return row?.value;
  }

  organisations() {
    return this.#database.run(organisations);
  }

  organisationByName(name: string) {
    return this.#database.run((sql) => organisationByName(sql, name));
  }

  addOrganisation(organisation: Organisation, audit?: AuditEntry) {
    return this.#database.transaction((sql) => addOrganisation(sql, organisation, audit));
  }

  removeOrganisation(id: string, audit?: AuditEntry) {
    return this.#database.transaction((sql) => removeOrganisation(sql, id, audit));
  }

  addServer(server: Server, key: ServerKey, audit?: AuditEntry) {
    return this.#database.transaction((sql) => addServer(sql, server, key, audit));
  }

  changeServer(server: Server, audit?: AuditEntry): Promise<boolean> {
    return this.#database.transaction((sql) => changeServer(sql, server, audit));
  }

  async removeServer(id: string, audit?: AuditEntry): Promise<void> {
    const number = await this.#database.transaction((sql) => removeServer(sql, id, audit));
    if (number === undefined) return;
    await forget(this.#database, number);
    await forgetRollups(this.#database, number);
  }

  servers(org: string) {
    return this.#database.run((sql) => servers(sql, org));
  }

  serverByName(org: string, name: string) {
    return this.#database.run((sql) => serverByName(sql, org, name));
  }

  size() {
    return this.#database.run(size);
  }

  keys(serverId: string) {
    return this.#database.run((sql) => keysOf(sql, serverId));
  }

  keysOf(org: string) {
    return this.#database.run((sql) => keysOfAll(sql, org));
  }

  endedKeys(serverId: string) {
    return this.#database.run((sql) => endedKeysOf(sql, serverId));
  }

  findKey(hash: string) {
    return this.#database.run((sql) => findKey(sql, hash));
  }

  endedKey(hash: string) {
    return this.#database.run((sql) => endedKey(sql, hash));
  }

  async useKey(key: KeyUse, at: number): Promise<void> {
    if (isWorthNoting({ key, at })) await this.#database.transaction((sql) => noteUses(sql, [{ key, at }]));
  }

  changeKeys(serverId: string, decide: (keys: ServerKey[]) => KeyEdit) {
    return this.#database.transaction((sql) => changeKeys(sql, serverId, decide));
  }

  mint(id: string) {
    return this.#database.run((sql) => mintOf(sql, id));
  }

  async serverForHost(org: string, name: string, now: number, by: Founder): Promise<Server | undefined> {
    const there = await this.serverByName(org, name);
    return there ?? this.#database.transaction((sql) => serverForHost(sql, org, name, now, by));
  }

  addToken(token: Token, audit?: AuditEntry) {
    return this.#database.transaction((sql) => addToken(sql, token, audit));
  }

  tokens(org: string) {
    return this.#database.run((sql) => tokens(sql, org));
  }

  removeToken(hash: string, audit?: AuditEntry) {
    return this.#database.transaction((sql) => removeToken(sql, hash, audit));
  }

  enroll(hash: string, decide: DecideEnrolment) {
    return this.#database.transaction((sql) => enroll(sql, hash, decide));
  }

  credentials(org: string) {
    return this.#database.run((sql) => credentials(sql, org));
  }

  credentialByKid(kid: string) {
    return this.#database.run((sql) => credentialByKid(sql, kid));
  }

  changeCredentials(org: string, decide: (all: OrgCredential[]) => Edit<OrgCredential>) {
    return this.#database.transaction((sql) => changeCredentials(sql, org, decide));
  }

  audit(entry: AuditEntry) {
    return this.#database.transaction((sql) => appendAudit(sql, entry));
  }

  auditTrail(org: string, from: number, most: number) {
    return this.#database.run((sql) => auditTrail(sql, org, from, most));
  }

  accept(server: Server, key: KeyUse, batch: Incoming[], received: number) {
    return this.#heartbeats.accept(server, key, batch, received);
  }

  refuse(serverId: string | null, status: number, count: number, at: number) {
    return this.#database.run((sql) => refuse(sql, serverId, status, count, at));
  }

  refusals(serverId: string) {
    return this.#database.run((sql) => refusals(sql, serverId));
  }

  instances(serverId: string) {
    return this.#database.run((sql) => instances(sql, serverId));
  }

  fleet(org: string) {
    return this.#database.run((sql) => fleet(sql, org));
  }

  async standing(org: string, name: string) {
    const [row] = await this.#database.run((sql) => fleet(sql, org, name));
    return row;
  }

  inventory(serverId: string) {
    return this.#database.run((sql) => inventory(sql, serverId));
  }

  recent(serverId: string, from: number, to: number) {
    return this.#database.run((sql) => recent(sql, serverId, from, to));
  }

  prune(before: number, mostBytes: number) {
    return prune(this.#database, before, mostBytes);
  }

  addUser(user: User, audit?: AuditEntry) {
    return this.#database.transaction((sql) => addUser(sql, user, audit));
  }

  changeUser(id: string, change: UserChange, audit?: AuditEntry) {
    return this.#database.transaction((sql) => changeUser(sql, id, change, audit));
  }

  removeUser(id: string, audit?: AuditEntry) {
    return this.#database.transaction((sql) => removeUser(sql, id, audit));
  }

  users(org: string) {
    return this.#database.run((sql) => users(sql, org));
  }

  userByName(name: string) {
    return this.#database.run((sql) => userByName(sql, name));
  }

  addSession(session: Session) {
    return this.#database.run((sql) => addSession(sql, session));
  }

  session(hash: string) {
    return this.#database.run((sql) => session(sql, hash));
  }

  async touchSession(hash: string, at: number): Promise<void> {
    await this.#database.run((sql) => sql`UPDATE sessions SET last_seen = ${at} WHERE hash = ${hash}`);
  }

  async removeSession(hash: string): Promise<void> {
    await this.#database.run((sql) => sql`DELETE FROM sessions WHERE hash = ${hash}`);
  }

  removeSessions(userId: string) {
    return this.#database.run((sql) => removeSessions(sql, userId));
  }

  /** PostgreSQL has tools of its own for that, which keep more than this could: says how they are called. */
  async backup(file: string): Promise<void> {
    const { hosts, database, user, schema } = this.#database.address;
    const [first] = hosts;
    const where = `--host=${first?.host} --port=${first?.port} --username=${user}`;
    throw new ScoutError('HUB_BACKUP_POSTGRES', { path: file, where, schema, database });
  }

  /** Stores what came in, then ends. */
  async close(): Promise<void> {
    await this.#heartbeats.drain();
    await this.#database.close();
  }
}
