import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Notice, Standing, Told, ToldState } from '../stream.ts';
import { transaction } from './transaction.ts';

/** What was told of servers, and what a webhook is still to be told: that part of the SQLite store. */
export class Notices {
  readonly #database: DatabaseSync;
  readonly #standings: StatementSync;
  readonly #tell: StatementSync;
  readonly #add: StatementSync;
  readonly #due: StatementSync;
  readonly #delay: StatementSync;
  readonly #drop: StatementSync;
  readonly #count: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#standings = database.prepare(`
      SELECT s.id, s.org, s.name, l.received, l.interval, l.alive_since, t.state, t.at
      FROM latest AS l JOIN servers AS s ON s.number = l.server LEFT JOIN told AS t ON t.server = l.server
      WHERE t.state IS NOT 'alive' OR l.received + l.interval * 1000 < ?`);
    this.#tell = database.prepare('INSERT OR REPLACE INTO told (server, state, at) SELECT number, ?2, ?3 FROM servers WHERE id = ?1');
    this.#add = database.prepare('INSERT INTO notices (id, body, created_at, tries, next_at) VALUES (?, ?, ?, ?, ?)');
    this.#due = database.prepare('SELECT * FROM notices WHERE next_at <= ? ORDER BY next_at, created_at, id LIMIT ?');
    this.#delay = database.prepare('UPDATE notices SET tries = ?2, next_at = ?3 WHERE id = ?1');
    this.#drop = database.prepare('DELETE FROM notices WHERE id = ?');
    this.#count = database.prepare('SELECT count(*) AS count FROM notices');
  }

  standings(now: number): Standing[] {
    return this.#standings.all(now).map(standingOf);
  }

  tell(told: Told[], notices: Notice[]): void {
    transaction(this.#database, () => {
      for (const { serverId, state, at } of told) this.#tell.run(serverId, state, at);
      for (const { id, body, createdAt, tries, nextAt } of notices) this.#add.run(id, body, createdAt, tries, nextAt);
    });
  }

  due(now: number, most: number): Notice[] {
    return this.#due.all(now, most).map((row) => ({
      id: row.id as string,
      body: row.body as string,
      createdAt: row.created_at as number,
      tries: row.tries as number,
      nextAt: row.next_at as number,
    }));
  }

  delay(id: string, tries: number, nextAt: number): void {
    this.#delay.run(id, tries, nextAt);
  }

  drop(id: string): void {
    this.#drop.run(id);
  }

  count(): number {
    return this.#count.get()?.count as number;
  }
}

function standingOf(row: Record<string, SQLOutputValue>): Standing {
  return {
    server: { id: row.id as string, org: row.org as string, name: row.name as string },
    latest: { received: row.received as number, interval: row.interval as number, aliveSince: row.alive_since as number },
    told: row.state === null ? null : { state: row.state as ToldState, at: row.at as number },
  };
}
