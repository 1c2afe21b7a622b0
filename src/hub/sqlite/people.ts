import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Session, User } from '../store.ts';
import { unlessTaken } from './transaction.ts';

type Row = Record<string, SQLOutputValue>;

/** Users and their sessions: that half of the SQLite store. */
export class People {
  readonly #add: StatementSync;
  readonly #all: StatementSync;
  readonly #byName: StatementSync;
  readonly #addSession: StatementSync;
  readonly #session: StatementSync;
  readonly #touch: StatementSync;
  readonly #remove: StatementSync;

  constructor(database: DatabaseSync) {
    const user = 'u.id, u.name, u.role, u.password_hash';
    this.#add = database.prepare('INSERT INTO users VALUES (?, ?, ?, ?)');
    this.#all = database.prepare(`SELECT ${user} FROM users AS u ORDER BY u.name`);
    this.#byName = database.prepare(`SELECT ${user} FROM users AS u WHERE u.name = ?`);
    this.#addSession = database.prepare('INSERT INTO sessions VALUES (?, ?, ?, ?)');
    this.#session = database.prepare(`SELECT ${user}, x.* FROM sessions AS x JOIN users AS u ON u.id = x.user WHERE x.hash = ?`);
    this.#touch = database.prepare('UPDATE sessions SET last_seen = ? WHERE hash = ?');
    this.#remove = database.prepare('DELETE FROM sessions WHERE hash = ?');
  }

  add(user: User): void {
    unlessTaken('users.name', 'HUB_USER_EXISTS', { name: user.name }, () =>
      this.#add.run(user.id, user.name, user.role, user.passwordHash),
    );
  }

  all(): User[] {
    return this.#all.all().map(userOf);
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
}

function userOf(row: Row): User {
  return {
    id: row.id as string,
    name: row.name as string,
    role: row.role as User['role'],
    passwordHash: row.password_hash as string,
  };
}
