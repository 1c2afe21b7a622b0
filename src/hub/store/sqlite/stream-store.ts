import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Cursor, Notice, Placed, Rollup, Standing, StreamStore, Told, Unrolled } from '../stream.ts';
import { Notices } from './notices.ts';
import { Rollups } from './rollups.ts';
import { Stream } from './stream.ts';

/** The part of the SQLite store that what runs beside the server works on. */
export class SqliteStreamStore implements StreamStore {
  readonly #stream: Stream;
  readonly #rollups: Rollups;
  readonly #notices: Notices;
  readonly #number: StatementSync;
  readonly #silentAfter: StatementSync;
  readonly #keepSilentAfter: StatementSync;

  constructor(database: DatabaseSync) {
    this.#stream = new Stream(database);
    this.#rollups = new Rollups(database);
    this.#notices = new Notices(database);
    this.#number = database.prepare('SELECT number FROM servers WHERE id = ?');
    this.#silentAfter = database.prepare(`SELECT value FROM meta WHERE name = 'silent_after'`);
    this.#keepSilentAfter = database.prepare(`
      INSERT INTO meta (name, value) VALUES ('silent_after', ?)
      ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value`);
  }

  async after(place: number, most: number, bytes: number): Promise<Placed[]> {
    return this.#stream.after(place, most, bytes);
  }

  async openCursor(name: string, from: 'now' | 'start'): Promise<Cursor> {
    return this.#stream.openCursor(name, from);
  }

  async moveCursor(name: string, place: number): Promise<void> {
    this.#stream.moveCursor(name, place);
  }

  async lease(name: string, holder: string, now: number, ms: number): Promise<boolean> {
    return this.#stream.lease(name, holder, now, ms);
  }

  async unrolled(before: number, most: number): Promise<Unrolled[]> {
    return this.#rollups.unrolled(before, most);
  }

  async putRollups(done: (Unrolled & { frame: Uint8Array | null })[]): Promise<void> {
    this.#rollups.put(done, (id) => this.#number.get(id)?.number as number | undefined);
  }

  async rollups(serverId: string, from: number, to: number): Promise<Rollup[]> {
    return this.#rollups.find(serverId, from, to);
  }

  pruneRollups(before: number, mostBytes: number): Promise<number> {
    return this.#rollups.prune(before, mostBytes);
  }

  async silentAfter(): Promise<string | undefined> {
    return this.#silentAfter.get()?.value as string | undefined;
  }

  async keepSilentAfter(text: string): Promise<void> {
    this.#keepSilentAfter.run(text);
  }

  async standings(now: number): Promise<Standing[]> {
    return this.#notices.standings(now);
  }

  async tell(told: Told[], notices: Notice[]): Promise<void> {
    this.#notices.tell(told, notices);
  }

  async dueNotices(now: number, most: number): Promise<Notice[]> {
    return this.#notices.due(now, most);
  }

  async delayNotice(id: string, tries: number, nextAt: number): Promise<void> {
    this.#notices.delay(id, tries, nextAt);
  }

  async dropNotice(id: string): Promise<void> {
    this.#notices.drop(id);
  }

  async countNotices(): Promise<number> {
    return this.#notices.count();
  }

  /** Drops the roll-ups of a server (by its number) in steps. */
  protected forgetRollups(server: number): Promise<void> {
    return this.#rollups.forget(server);
  }
}
