import type { Cursor, Notice, Placed, Rollup, Standing, StreamStore, Told, Unrolled } from '../stream.ts';
import type { Database } from './database.ts';
import { dueNotices, standings, tell } from './notices.ts';
import { pruneRollups, putRollups, rollups, unrolled } from './rollups.ts';
import { after, lease, moveCursor, openCursor } from './stream.ts';

/** The part of the PostgreSQL store that what runs beside the server works on. */
export class PostgresStreamStore implements StreamStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  after(place: number, most: number, bytes: number): Promise<Placed[]> {
    return after(this.#database, place, most, bytes);
  }

  openCursor(name: string, from: 'now' | 'start'): Promise<Cursor> {
    return openCursor(this.#database, name, from);
  }

  moveCursor(name: string, place: number): Promise<void> {
    return this.#database.run((sql) => moveCursor(sql, name, place));
  }

  lease(name: string, holder: string, now: number, ms: number): Promise<boolean> {
    return this.#database.run((sql) => lease(sql, name, holder, now, ms));
  }

  unrolled(before: number, most: number): Promise<Unrolled[]> {
    return this.#database.transaction((sql) => unrolled(sql, before, most));
  }

  putRollups(done: (Unrolled & { frame: Uint8Array | null })[]): Promise<void> {
    return this.#database.transaction((sql) => putRollups(sql, done));
  }

  rollups(serverId: string, from: number, to: number): Promise<Rollup[]> {
    return this.#database.run((sql) => rollups(sql, serverId, from, to));
  }

  pruneRollups(before: number, mostBytes: number): Promise<number> {
    return pruneRollups(this.#database, before, mostBytes);
  }

  async silentAfter(): Promise<string | undefined> {
    const [row] = await this.#database.run((sql) => sql`SELECT value FROM meta WHERE name = 'silent_after'`);
    return row?.value;
  }

  async keepSilentAfter(text: string): Promise<void> {
    await this.#database.run(
      (sql) => sql`
        INSERT INTO meta AS m (name, value) VALUES ('silent_after', ${text})
        ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE m.value <> excluded.value`,
    );
  }

  standings(now: number): Promise<Standing[]> {
    return this.#database.run((sql) => standings(sql, now));
  }

  tell(told: Told[], notices: Notice[]): Promise<void> {
    return this.#database.transaction((sql) => tell(sql, told, notices));
  }

  dueNotices(now: number, most: number): Promise<Notice[]> {
    return this.#database.run((sql) => dueNotices(sql, now, most));
  }

  async delayNotice(id: string, tries: number, nextAt: number): Promise<void> {
    await this.#database.run((sql) => sql`UPDATE notices SET tries = ${tries}, next_at = ${nextAt} WHERE id = ${id}`);
  }

  async dropNotice(id: string): Promise<void> {
    await this.#database.run((sql) => sql`DELETE FROM notices WHERE id = ${id}`);
  }

  async countNotices(): Promise<number> {
    const [row] = await this.#database.run((sql) => sql`SELECT count(*)::int8 AS count FROM notices`);
    return row?.count;
  }
}
