import type { DatabaseSync } from 'node:sqlite';
import { Heartbeats } from './sqlite/heartbeats.ts';
import { openDatabase } from './sqlite/open.ts';
import { People } from './sqlite/people.ts';
import { Servers } from './sqlite/servers.ts';
import { spareBytes } from './sqlite/spare.ts';
import type { Incoming, Server, ServerKey, Session, Store, User } from './store.ts';

/**
 * The store over one SQLite file, `hub.db` in the data folder. Several processes may use it at once: what one commits
 * the others see with their next question, for nothing is cached here.
 */
export class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #servers: Servers;
  readonly #heartbeats: Heartbeats;
  readonly #people: People;

  /** Opens it, made when missing; `spare` tells how many bytes it may grow. Throws HUB_DATA, HUB_DATA_NEWER. */
  static open(folder: string, spare = () => spareBytes(folder)): SqliteStore {
    return new SqliteStore(openDatabase(folder), spare);
  }

  constructor(database: DatabaseSync, spare: () => number) {
    this.#database = database;
    this.#servers = new Servers(database);
    this.#heartbeats = new Heartbeats(database, spare);
    this.#people = new People(database);
  }

  async serviceId(): Promise<string> {
    return String(this.#database.prepare(`SELECT value FROM meta WHERE name = 'service_id'`).get()?.value);
  }

  async addServer(server: Server, key: ServerKey): Promise<void> {
    this.#servers.add(server, key);
  }

  async removeServer(id: string): Promise<void> {
    const number = this.#servers.remove(id);
    if (number !== undefined) await this.#heartbeats.forget(number);
  }

  async servers(): Promise<Server[]> {
    return this.#servers.all();
  }

  async serverByName(name: string): Promise<Server | undefined> {
    return this.#servers.byName(name);
  }

  async size(): Promise<{ servers: number; bytes: number }> {
    return this.#servers.size();
  }

  async keys(serverId: string): Promise<ServerKey[]> {
    return this.#servers.keys(serverId);
  }

  async findKey(hash: string): Promise<{ server: Server; key: ServerKey } | undefined> {
    return this.#servers.findKey(hash);
  }

  async useKey(key: ServerKey, at: number): Promise<void> {
    this.#heartbeats.useKey(key, at);
  }

  accept(server: Server, key: ServerKey, batch: Incoming[], received: number): Promise<{ accepted: number; duplicates: number }> {
    return this.#heartbeats.accept(server, key, batch, received);
  }

  async refuse(serverId: string | null, status: number, count: number): Promise<void> {
    this.#servers.refuse(serverId, status, count);
  }

  async refusals(serverId: string): Promise<Record<string, number>> {
    return this.#servers.refusals(serverId);
  }

  async instances(serverId: string) {
    return this.#heartbeats.instances(serverId);
  }

  async fleet() {
    return this.#servers.fleet();
  }

  async standing(name: string) {
    return this.#servers.standing(name);
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

  async addUser(user: User): Promise<void> {
    this.#people.add(user);
  }

  async users(): Promise<User[]> {
    return this.#people.all();
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

  async close(): Promise<void> {
    this.#heartbeats.flush();
    this.#database.close();
  }
}
