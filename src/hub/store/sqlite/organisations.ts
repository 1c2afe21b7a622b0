import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { ScoutError } from '../../../support/errors.ts';
import { organisationOf } from '../rows.ts';
import { type AuditEntry, DEFAULT_ORGANISATION, type Organisation } from '../store.ts';
import type { Audit } from './audit.ts';
import { transaction, unlessTaken } from './transaction.ts';

/** Organisations: that part of the SQLite store. */
export class Organisations {
  readonly #database: DatabaseSync;
  readonly #audit: Audit;
  readonly #add: StatementSync;
  readonly #all: StatementSync;
  readonly #byName: StatementSync;
  readonly #servers: StatementSync;
  readonly #remove: StatementSync[];

  constructor(database: DatabaseSync, audit: Audit) {
    this.#database = database;
    this.#audit = audit;
    this.#add = database.prepare('INSERT INTO organisations (id, name, created_at) VALUES (?, ?, ?)');
    this.#all = database.prepare('SELECT * FROM organisations ORDER BY name');
    this.#byName = database.prepare('SELECT * FROM organisations WHERE name = ?');
    this.#servers = database.prepare('SELECT count(*) AS count FROM servers WHERE org = ?');
    const parts = ['tokens WHERE org', 'users WHERE org', 'credentials WHERE org', 'organisations WHERE id'];
    this.#remove = parts.map((part) => database.prepare(`DELETE FROM ${part} = ?`));
  }

  all(): Organisation[] {
    return this.#all.all().map(organisationOf);
  }

  byName(name: string): Organisation | undefined {
    const row = this.#byName.get(name);
    return row && organisationOf(row);
  }

  add({ id, name, createdAt }: Organisation, audit?: AuditEntry): void {
    transaction(this.#database, () => {
      unlessTaken('organisations.name', 'HUB_ORGANISATION_EXISTS', { name }, () => this.#add.run(id, name, createdAt));
      this.#audit.append(audit);
    });
  }

  remove(id: string, audit?: AuditEntry): void {
    transaction(this.#database, () => {
      const servers = this.#servers.get(id)?.count as number;
      if (servers > 0 || id === DEFAULT_ORGANISATION) throw new ScoutError('HUB_ORGANISATION_IN_USE', { servers });
      for (const part of this.#remove) part.run(id);
      this.#audit.append(audit);
    });
  }
}
