import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { credentialOf } from '../rows.ts';
import type { Edit, OrgCredential } from '../store.ts';
import type { Audit } from './audit.ts';
import { transaction, unlessTaken } from './transaction.ts';

/** Credentials of the organisation: that part of the SQLite store. */
export class Credentials {
  readonly #database: DatabaseSync;
  readonly #audit: Audit;
  readonly #all: StatementSync;
  readonly #byKid: StatementSync;
  readonly #put: StatementSync;
  readonly #drop: StatementSync;

  constructor(database: DatabaseSync, audit: Audit) {
    this.#database = database;
    this.#audit = audit;
    this.#all = database.prepare('SELECT * FROM credentials WHERE org = ? ORDER BY name');
    this.#byKid = database.prepare('SELECT * FROM credentials WHERE kid = ?');
    this.#put = database.prepare(`
      INSERT INTO credentials (id, org, name, role, scopes, kid, public_key, enabled, created_at, expires_at, last_used)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role, scopes = excluded.scopes,
        kid = excluded.kid, public_key = excluded.public_key, enabled = excluded.enabled, created_at = excluded.created_at,
        expires_at = excluded.expires_at, last_used = excluded.last_used`);
    this.#drop = database.prepare('DELETE FROM credentials WHERE id = ? AND org = ?');
  }

  all(org: string): OrgCredential[] {
    return this.#all.all(org).map(credentialOf);
  }

  byKid(kid: string): OrgCredential | undefined {
    const row = this.#byKid.get(kid);
    return row && credentialOf(row);
  }

  change(org: string, decide: (all: OrgCredential[]) => Edit<OrgCredential>): void {
    transaction(this.#database, () => {
      const { put = [], drop = [], audit } = decide(this.all(org));
      for (const id of drop) this.#drop.run(id, org);
      for (const one of put) this.#write(one);
      this.#audit.append(audit);
    });
  }

  #write(one: OrgCredential): void {
    const { id, org, name, role, kid, publicKey, createdAt, expiresAt, lastUsed } = one;
    const [scopes, enabled] = [JSON.stringify(one.scopes), one.enabled ? 1 : 0];
    const write = () => this.#put.run(id, org, name, role, scopes, kid, publicKey, enabled, createdAt, expiresAt, lastUsed);
    const unlessKid = () => unlessTaken('credentials.kid', 'HUB_CREDENTIAL_EXISTS', { what: 'this key' }, write);
    unlessTaken('credentials.name', 'HUB_CREDENTIAL_EXISTS', { what: `the name \`${name}\`` }, unlessKid);
  }
}
