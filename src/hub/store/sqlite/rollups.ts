import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Rollup, Unrolled } from '../stream.ts';
import { transaction } from './transaction.ts';

/** Rows dropped under one lock. */
const PRUNE_STEP = 1_000;

/** Roll-ups and the stretches that wait for theirs: that part of the SQLite store. */
export class Rollups {
  readonly #database: DatabaseSync;
  readonly #waiting: StatementSync;
  readonly #take: StatementSync;
  readonly #put: StatementSync;
  readonly #done: StatementSync;
  readonly #find: StatementSync;
  readonly #old: StatementSync;
  readonly #bytes: StatementSync;
  readonly #stale: StatementSync;
  readonly #orphans: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#waiting = database.prepare(`
      SELECT u.server, u.time, s.id FROM unrolled AS u LEFT JOIN servers AS s ON s.number = u.server
      WHERE u.since < ? ORDER BY u.since LIMIT ?`);
    this.#take = database.prepare('UPDATE unrolled SET taken = 1 WHERE server = ? AND time = ?');
    // An older one is deleted by itself, for the trigger that counts bytes hears of no other replacement.
    this.#orphans = database.prepare(
      'DELETE FROM rollups WHERE number IN (SELECT number FROM rollups WHERE server = ?1 AND (?2 IS NULL OR time = ?2) LIMIT ?3)',
    );
    this.#put = database.prepare('INSERT INTO rollups (server, time, frame) VALUES (?, ?, ?)');
    this.#done = database.prepare('DELETE FROM unrolled WHERE server = ? AND time = ? AND taken = 1');
    this.#find = database.prepare(
      'SELECT time, frame FROM rollups WHERE server = (SELECT number FROM servers WHERE id = ?) AND time >= ? AND time < ? ORDER BY time',
    );
    this.#old = database.prepare('DELETE FROM rollups WHERE number IN (SELECT number FROM rollups WHERE time < ? ORDER BY time LIMIT ?)');
    this.#bytes = database.prepare(`SELECT CAST(value AS INTEGER) AS bytes FROM meta WHERE name = 'rollup_bytes'`);
    this.#stale = database.prepare('DELETE FROM unrolled WHERE since < ?');
  }

  /** `numberOf` tells the number of a server, undefined when it was removed. */
  put(done: (Unrolled & { frame: Uint8Array | null })[], numberOf: (id: string) => number | undefined): void {
    transaction(this.#database, () => {
      for (const { serverId, time, frame } of done) {
        const server = numberOf(serverId);
        if (server === undefined) continue;
        this.#done.run(server, time);
        if (!frame) continue;
        this.#orphans.run(server, time, 1);
        this.#put.run(server, time, frame);
      }
    });
  }

  unrolled(before: number, most: number): Unrolled[] {
    return transaction(this.#database, () =>
      this.#waiting.all(before, most).flatMap(({ server, time, id }) => {
        this.#take.run(server as number, time as number);
        // Nobody will put those of a removed server.
        if (id === null) this.#done.run(server as number, time as number);
        return id === null ? [] : [{ serverId: id as string, time: time as number }];
      }),
    );
  }

  find(serverId: string, from: number, to: number): Rollup[] {
    return this.#find.all(serverId, from, to).map((row) => ({ time: row.time as number, frame: row.frame as Uint8Array }));
  }

  /** Drops in steps, and lets requests through between them. */
  async prune(before: number, mostBytes: number): Promise<number> {
    this.#stale.run(before);
    const old = await this.#inSteps(() => this.#old.run(before, PRUNE_STEP).changes);
    const excess = await this.#inSteps(() =>
      Number(this.#bytes.get()?.bytes) > mostBytes ? this.#old.run(Number.MAX_SAFE_INTEGER, PRUNE_STEP).changes : 0,
    );
    return old + excess;
  }

  /** Drops all of a server (by its number). */
  async forget(server: number): Promise<void> {
    await this.#inSteps(() => this.#orphans.run(server, null, PRUNE_STEP).changes);
  }

  async #inSteps(step: () => number | bigint): Promise<number> {
    let total = 0;
    while (this.#database.isOpen) {
      const dropped = Number(step());
      total += dropped;
      if (dropped < PRUNE_STEP) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return total;
  }
}
