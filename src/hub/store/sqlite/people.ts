import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { unlessLastAdmin } from '../last-admin.ts';
import { userOf } from '../rows.ts';
import type { AuditEntry, Session, User, UserChange } from '../store.ts';
import type { Audit } from './audit.ts';
import { transaction, unlessTaken } from './transaction.ts';

/** Users and their sessions: that half of the SQLite store. */
export class People {
  readonly #database: DatabaseSync;
  readonly #audit: Audit;
  readonly #add: StatementSync;
  readonly #all: StatementSync;
  readonly #byName: StatementSync;
  readonly #byId: StatementSync;
  readonly #addSession: StatementSync;
  readonly #session: StatementSync;
  readonly #touch: StatementSync;
  readonly #remove: StatementSync;
  readonly #removeAll: StatementSync;
  readonly #change: StatementSync;
  readonly #drop: StatementSync;

  constructor(database: DatabaseSync, audit: Audit) {
    this.#database = database;
    this.#audit = audit;
    const user = 'u.id, u.org, u.name, u.role, u.password_hash';
    this.#add = database.prepare('INSERT INTO users (id, org, name, role, password_hash) VALUES (?, ?, ?, ?, ?)');
    this.#all = database.prepare(`SELECT ${user} FROM users AS u WHERE u.org = ? ORDER BY u.name`);
    this.#byName = database.prepare(`SELECT ${user} FROM users AS u WHERE u.name = ?`);
    this.#byId = database.prepare(`SELECT ${user} FROM users AS u WHERE u.id = ?`);
    this.#addSession = database.prepare('INSERT INTO sessions VALUES (?, ?, ?, ?)');
    this.#session = database.prepare(`SELECT ${user}, x.* FROM sessions AS x JOIN users AS u ON u.id = x.user WHERE x.hash = ?`);
    this.#touch = database.prepare('UPDATE sessions SET last_seen = ? WHERE hash = ?');
    this.#remove = database.prepare('DELETE FROM sessions WHERE hash = ?');
    this.#removeAll = database.prepare('DELETE FROM sessions WHERE user = ?');
    this.#change = database.prepare('UPDATE users SET role = ?, password_hash = ? WHERE id = ?');
    this.#drop = database.prepare('DELETE FROM users WHERE id = ?');
  }

  add(user: User, audit?: AuditEntry): void {
    const { id, org, name, role, passwordHash } = user;
    transaction(this.#database, () => {
      unlessTaken('users.name', 'HUB_USER_EXISTS', { name }, () => this.#add.run(id, org, name, role, passwordHash));
      this.#audit.append(audit);
    });
  }

  change(id: string, change: UserChange, audit?: AuditEntry): User | undefined {
    return transaction(this.#database, () => {
      const before = this.#known(id);
      if (!before) return undefined;
      const user = { ...before, ...change };
      if (user.role !== 'admin') this.#unlessLast(before);
      this.#change.run(user.role, user.passwordHash, id);
      if (before.passwordHash !== user.passwordHash) this.#removeAll.run(id);
      this.#audit.append(audit);
      return user;
    });
  }

  remove(id: string, audit?: AuditEntry): boolean {
    return transaction(this.#database, () => {
      const user = this.#known(id);
      if (!user) return false;
      this.#unlessLast(user);
      this.#drop.run(id);
      this.#audit.append(audit);
      return true;
    });
  }

  #known(id: string): User | undefined {
    const row = this.#byId.get(id);
    return row && userOf(row);
  }

  #unlessLast(user: User): void {
    unlessLastAdmin(user, this.all(user.org));
  }

  all(org: string): User[] {
    return this.#all.all(org).map(userOf);
  }

  byName(name: string): User | undefined {
    const row = this.#byName.get(name);
    return row && userOf(row);
  }

  addSession(session: Session): void {
    this.#addSession.run(session.hash, session.userId, session.createdAt, session.lastSeen);
  }

  session(hash: string): { session: Session; user: User } | undefined {
    const row = this.#session.get(hash);
    if (!row) return undefined;
    const user = userOf(row);
    const session = { hash, userId: user.id, createdAt: row.created_at as number, lastSeen: row.last_seen as number };
    return { session, user };
  }

  touchSession(hash: string, at: number): void {
    this.#touch.run(at, hash);
  }

  removeSession(hash: string): void {
    this.#remove.run(hash);
  }

  removeSessions(userId: string): number {
    return Number(this.#removeAll.run(userId).changes);
  }
}
