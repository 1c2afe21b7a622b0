import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { ScoutError } from '../../../support/errors.ts';
import { KEY, keyOf } from '../rows.ts';
import { type EndedKey, type Ending, type KeyEdit, MINT_KEPT_MS, type Mint, type ServerKey } from '../store.ts';
import type { Audit } from './audit.ts';
import { transaction, unlessTaken } from './transaction.ts';

/** How the keys of a server change: that part of the SQLite store. */
export class Keys {
  readonly #database: DatabaseSync;
  readonly #audit: Audit;
  readonly #number: StatementSync;
  readonly #of: StatementSync;
  readonly #ofAll: StatementSync;
  readonly #endedOf: StatementSync;
  readonly #put: StatementSync;
  readonly #drop: StatementSync;
  readonly #end: StatementSync;
  readonly #endAll: StatementSync;
  readonly #ended: StatementSync;
  readonly #mint: StatementSync;
  readonly #addMint: StatementSync;

  constructor(database: DatabaseSync, audit: Audit) {
    this.#database = database;
    this.#audit = audit;
    this.#number = database.prepare('SELECT number FROM servers WHERE id = ?');
    this.#of = database.prepare(`
      SELECT s.id AS server_id, ${KEY} FROM keys AS k JOIN servers AS s ON s.number = k.server
      WHERE s.id = ? ORDER BY k.created_at, k.id`);
    this.#ofAll = database.prepare(`
      SELECT s.id AS server_id, ${KEY} FROM keys AS k JOIN servers AS s ON s.number = k.server
      WHERE s.org = ? ORDER BY k.created_at, k.id`);
    this.#endedOf = database.prepare(`
      SELECT e.hash, e.ended_at, e.how FROM ended_keys AS e JOIN servers AS s ON s.number = e.server
      WHERE s.id = ? ORDER BY e.ended_at DESC, e.hash`);
    this.#put = database.prepare(`
      INSERT INTO keys (id, server, name, hash, slot, enabled, created_at, valid_until, last_used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, slot = excluded.slot, enabled = excluded.enabled,
        valid_until = excluded.valid_until, last_used = excluded.last_used`);
    this.#drop = database.prepare('DELETE FROM keys WHERE id = ? AND server = ?');
    const end = `INSERT OR REPLACE INTO ended_keys (hash, server, ended_at, how)
      SELECT hash, server, min(?2, coalesce(valid_until, ?2)), iif(valid_until <= ?2, 'replaced', ?3) FROM keys`;
    this.#end = database.prepare(`${end} WHERE id = ?1 AND server = ?4`);
    this.#endAll = database.prepare(`${end} WHERE server = ?1`);
    this.#ended = database.prepare('SELECT 1 FROM ended_keys WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM keys WHERE hash = ?1)');
    this.#mint = database.prepare(
      'SELECT m.id, m.sealed, m.until, s.id AS server_id FROM mints AS m JOIN servers AS s ON s.number = m.server WHERE m.id = ?',
    );
    // One that has lapsed makes room; one that has not belongs to an answer already given.
    this.#addMint = database.prepare(`
      INSERT INTO mints (id, server, sealed, until) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (id) DO UPDATE SET server = ?2, sealed = ?3, until = ?4 WHERE until <= ?4 - ${MINT_KEPT_MS}`);
  }

  of(serverId: string): ServerKey[] {
    return this.#of.all(serverId).map(keyOf);
  }

  /** The keys of every server of an organisation. */
  ofAll(org: string): ServerKey[] {
    return this.#ofAll.all(org).map(keyOf);
  }

  endedOf(serverId: string): Omit<EndedKey, 'server'>[] {
    return this.#endedOf
      .all(serverId)
      .map((row) => ({ hash: row.hash as string, endedAt: row.ended_at as number, how: row.how as Ending }));
  }

  /** Writes one key. Belongs into the caller's transaction. Throws HUB_KEY_EXISTS, HUB_KEY_ENDED. */
  put(server: number | bigint, key: ServerKey): void {
    const { id, name, hash, slot, enabled, createdAt, validUntil, lastUsed } = key;
    if (this.#ended.get(hash)) throw new ScoutError('HUB_KEY_ENDED');
    const write = () => this.#put.run(id, server, name, hash, slot, enabled ? 1 : 0, createdAt, validUntil, lastUsed);
    unlessTaken('keys.hash', 'HUB_KEY_EXISTS', {}, write);
  }

  /** Writes and drops keys of a server (by its number). Belongs into the caller's transaction. Throws HUB_KEY_EXISTS, HUB_KEY_ENDED. */
  write(number: number | bigint, { put = [], drop = [], ended }: Pick<KeyEdit, 'put' | 'drop' | 'ended'>): void {
    for (const id of drop) {
      if (ended) this.#end.run(id, ended.at, ended.how, number);
      this.#drop.run(id, number);
    }
    for (const key of put) this.put(number, key);
  }

  /** Remembers every key of a server (by its number) as ended. Belongs into the caller's transaction. */
  endAll(server: number, at: number, how: Ending): void {
    this.#endAll.run(server, at, how);
  }

  change(serverId: string, decide: (keys: ServerKey[]) => KeyEdit): void {
    transaction(this.#database, () => {
      const number = this.#number.get(serverId)?.number as number | undefined;
      if (number === undefined) throw new ScoutError('HUB_SERVER_UNKNOWN', { name: serverId });
      const { mint, audit, ...edit } = decide(this.of(serverId));
      this.write(number, edit);
      if (mint && this.#addMint.run(mint.id, number, mint.sealed, mint.until).changes !== 1) throw new ScoutError('HUB_KEY_EXISTS');
      this.#audit.append(audit);
    });
  }

  mint(id: string): Mint | undefined {
    const row = this.#mint.get(id);
    return row && { id, serverId: row.server_id as string, sealed: row.sealed as Uint8Array, until: row.until as number };
  }
}
