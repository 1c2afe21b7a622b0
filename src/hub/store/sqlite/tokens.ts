import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { tokenOf } from '../rows.ts';
import type { AuditEntry, DecideEnrolment, Token } from '../store.ts';
import type { Audit } from './audit.ts';
import type { Keys } from './keys.ts';
import type { Servers } from './servers.ts';
import { transaction } from './transaction.ts';

/** Tokens by which hosts enrol: that part of the SQLite store. */
export class Tokens {
  readonly #database: DatabaseSync;
  readonly #servers: Servers;
  readonly #keys: Keys;
  readonly #audit: Audit;
  readonly #find: StatementSync;
  readonly #all: StatementSync;
  readonly #put: StatementSync;
  readonly #drop: StatementSync;

  constructor(database: DatabaseSync, parts: { servers: Servers; keys: Keys; audit: Audit }) {
    this.#database = database;
    this.#servers = parts.servers;
    this.#keys = parts.keys;
    this.#audit = parts.audit;
    this.#find = database.prepare('SELECT * FROM tokens WHERE hash = ?');
    this.#all = database.prepare('SELECT * FROM tokens WHERE org = ? ORDER BY created_at DESC, hash');
    this.#put = database.prepare(`
      INSERT OR REPLACE INTO tokens (hash, org, server_name, policy, grace_ms, created_at, expires_at, used_at, used_for)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#drop = database.prepare('DELETE FROM tokens WHERE hash = ?');
  }

  add(token: Token, audit?: AuditEntry): void {
    transaction(this.#database, () => {
      this.#write(token);
      this.#audit.append(audit);
    });
  }

  all(org: string): Token[] {
    return this.#all.all(org).map(tokenOf);
  }

  remove(hash: string, audit?: AuditEntry): boolean {
    return transaction(this.#database, () => {
      if (this.#drop.run(hash).changes !== 1) return false;
      this.#audit.append(audit);
      return true;
    });
  }

  enroll(hash: string, decide: DecideEnrolment): void {
    transaction(this.#database, () => {
      const row = this.#find.get(hash);
      const token = row && tokenOf(row);
      const server = token && this.#servers.byName(token.org, token.serverName);
      const decided = decide(token, server, server ? this.#keys.of(server.id) : []);
      if (!decided) return;
      const { register, audit, ...edit } = decided;
      const number = register ? this.#servers.insert(register) : server && this.#servers.numberOf(server.id);
      if (number === undefined) throw new Error('an enrolment without a server');
      this.#keys.write(number, edit);
      this.#write(edit.token);
      this.#audit.append(audit);
    });
  }

  #write({ hash, org, serverName, policy, graceMs, createdAt, expiresAt, usedAt, usedFor }: Token): void {
    this.#put.run(hash, org, serverName, policy, graceMs, createdAt, expiresAt, usedAt, usedFor);
  }
}
