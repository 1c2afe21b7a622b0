import { randomUUID } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { fleetRowOf, KEY, keyOf, SERVER, serverOf } from '../rows.ts';
import type { AuditEntry, EndedKey, Ending, FleetRow, Founder, Server, ServerKey } from '../store.ts';
import type { Audit } from './audit.ts';
import type { Keys } from './keys.ts';
import { transaction, unlessTaken } from './transaction.ts';

/** Servers, their keys and how they stand: that half of the SQLite store. */
export class Servers {
  readonly #database: DatabaseSync;
  readonly #add: StatementSync;
  readonly #change: StatementSync;
  readonly #remove: StatementSync;
  readonly #brought: StatementSync;
  readonly #bringing: StatementSync;
  readonly #removeRefusals: StatementSync;
  readonly #removeTokens: StatementSync;
  readonly #all: StatementSync;
  readonly #byName: StatementSync;
  readonly #keys: Keys;
  readonly #audit: Audit;
  readonly #number: StatementSync;
  readonly #find: StatementSync;
  readonly #ended: StatementSync;
  readonly #fleet: StatementSync;
  readonly #standing: StatementSync;
  readonly #inventory: StatementSync;
  readonly #refuse: StatementSync;
  readonly #refusals: StatementSync;
  readonly #size: StatementSync;

  constructor(database: DatabaseSync, keys: Keys, audit: Audit) {
    this.#database = database;
    this.#keys = keys;
    this.#audit = audit;
    this.#add = database.prepare('INSERT INTO servers (id, org, name, policy, grace_ms, created_at) VALUES (?, ?, ?, ?, ?, ?)');
    this.#change = database.prepare('UPDATE servers SET policy = ?, grace_ms = ? WHERE id = ?');
    this.#remove = database.prepare('DELETE FROM servers WHERE id = ?');
    this.#brought = database.prepare('SELECT count(*) AS count FROM servers WHERE org = ? AND brought_by = ?');
    this.#bringing = database.prepare('UPDATE servers SET brought_by = ? WHERE number = ?');
    this.#removeRefusals = database.prepare('DELETE FROM refusals WHERE server = ?');
    this.#removeTokens = database.prepare('DELETE FROM tokens WHERE (org, server_name) = (SELECT org, name FROM servers WHERE id = ?)');
    this.#all = database.prepare(`SELECT ${SERVER} FROM servers AS s WHERE s.org = ? ORDER BY s.name`);
    this.#byName = database.prepare(`SELECT ${SERVER} FROM servers AS s WHERE s.org = ? AND s.name = ?`);
    this.#find = database.prepare(`SELECT ${SERVER}, ${KEY} FROM keys AS k JOIN servers AS s ON s.number = k.server WHERE k.hash = ?`);
    this.#number = database.prepare('SELECT number FROM servers WHERE id = ?');
    this.#ended = database.prepare(
      `SELECT ${SERVER}, e.ended_at, e.how FROM ended_keys AS e LEFT JOIN servers AS s ON s.number = e.server WHERE e.hash = ?`,
    );
    const fleet = `
      SELECT ${SERVER}, l.*, coalesce(k.slot, l.key_slot) AS slot,
        k.created_at AS key_created,
        (SELECT coalesce(sum(i.accepted), 0) FROM instances AS i WHERE i.server = s.number) AS accepted,
        (SELECT max(r.last_at) FROM refusals AS r WHERE r.server = s.number AND r.status IN (401, 403)) AS refused_at
      FROM servers AS s LEFT JOIN latest AS l ON l.server = s.number LEFT JOIN keys AS k ON k.hash = l.key_hash`;
    this.#fleet = database.prepare(`${fleet} WHERE s.org = ? ORDER BY s.name`);
    this.#standing = database.prepare(`${fleet} WHERE s.org = ? AND s.name = ?`);
    this.#inventory = database.prepare('SELECT body FROM inventories AS v JOIN servers AS s ON s.number = v.server WHERE s.id = ?');
    this.#refuse = database.prepare(`
      INSERT INTO refusals (server, status, count, last_at) VALUES (coalesce((SELECT number FROM servers WHERE id = ?1), 0), ?2, ?3, ?4)
      ON CONFLICT DO UPDATE SET count = count + ?3, last_at = max(coalesce(last_at, 0), ?4)`);
    this.#refusals = database.prepare('SELECT status, count FROM refusals AS r JOIN servers AS s ON s.number = r.server WHERE s.id = ?');
    this.#size = database.prepare(`
      SELECT (SELECT count(*) FROM servers) AS servers,
        (SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size()) AS bytes`);
  }

  add(server: Server, key: ServerKey, audit?: AuditEntry): void {
    transaction(this.#database, () => {
      this.#keys.put(this.insert(server), key);
      this.#audit.append(audit);
    });
  }

  /** The server of a name, registered without a key when there is none; undefined when its founder may register no more. */
  forHost(org: string, name: string, now: number, by: Founder): Server | undefined {
    return this.byName(org, name) ?? transaction(this.#database, () => this.byName(org, name) ?? this.#addHost(org, name, now, by));
  }

  /** The number that rows refer to a server by; undefined for an unknown one. */
  numberOf(id: string): number | undefined {
    return this.#number.get(id)?.number as number | undefined;
  }

  /** Another policy or window; false for an unknown server. */
  change({ id, policy, graceMs }: Server, audit?: AuditEntry): boolean {
    return transaction(this.#database, () => {
      if (this.#change.run(policy, graceMs, id).changes === 0) return false;
      this.#audit.append(audit);
      return true;
    });
  }

  /** Returns the number that its heartbeats stand under, undefined for an unknown server. */
  remove(id: string, audit?: AuditEntry): number | undefined {
    return transaction(this.#database, () => {
      const number = this.numberOf(id);
      if (number === undefined) return undefined;
      if (audit) this.#keys.endAll(number, audit.at, 'removed');
      this.#removeRefusals.run(number);
      // One that is left would bring the server back.
      this.#removeTokens.run(id);
      this.#remove.run(id);
      this.#audit.append(audit);
      return number;
    });
  }

  all(org: string): Server[] {
    return this.#all.all(org).map(serverOf);
  }

  byName(org: string, name: string): Server | undefined {
    const row = this.#byName.get(org, name);
    return row && serverOf(row);
  }

  size(): { servers: number; bytes: number } {
    const row = this.#size.get();
    return { servers: Number(row?.servers), bytes: Number(row?.bytes) };
  }

  findKey(hash: string): { server: Server; key: ServerKey } | undefined {
    const row = this.#find.get(hash);
    return row && { server: serverOf(row), key: keyOf(row) };
  }

  endedKey(hash: string): EndedKey | undefined {
    const row = this.#ended.get(hash);
    if (!row) return undefined;
    return { hash, server: row.server_id === null ? undefined : serverOf(row), endedAt: row.ended_at as number, how: row.how as Ending };
  }

  fleet(org: string): FleetRow[] {
    return this.#fleet.all(org).map(fleetRowOf);
  }

  standing(org: string, name: string): FleetRow | undefined {
    const row = this.#standing.get(org, name);
    return row && fleetRowOf(row);
  }

  inventory(serverId: string): string | null {
    return (this.#inventory.get(serverId)?.body as string | undefined) ?? null;
  }

  refuse(serverId: string | null, status: number, count: number, at: number): void {
    this.#refuse.run(serverId, status, count, at);
  }

  refusals(serverId: string): Record<string, number> {
    return Object.fromEntries(this.#refusals.all(serverId).map((row) => [String(row.status), row.count as number]));
  }

  /** Registers a server without a key; its number. Belongs into the caller's transaction. Throws HUB_SERVER_EXISTS. */
  insert({ id, org, name, policy, graceMs, createdAt }: Server): number | bigint {
    const insert = () => this.#add.run(id, org, name, policy, graceMs, createdAt);
    return unlessTaken('servers.name', 'HUB_SERVER_EXISTS', { name }, insert).lastInsertRowid;
  }

  #addHost(org: string, name: string, now: number, { actor, address, family, most }: Founder): Server | undefined {
    if (most !== null && (this.#brought.get(org, family)?.count as number) >= most) return undefined;
    const server: Server = { id: randomUUID(), org, name, policy: 'multi', graceMs: 0, createdAt: now };
    this.#bringing.run(family, this.insert(server));
    const detail = { policy: server.policy, because: 'a heartbeat came with a credential of the organisation' };
    this.#audit.append({ org, at: now, actor, action: 'server.add', subject: `server:${name}`, detail, address });
    return server;
  }
}
