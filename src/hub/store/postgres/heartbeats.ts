import { ScoutError } from '../../../support/errors.ts';
import type { Incoming, KeyUse, Server } from '../store.ts';
import type { Database } from './database.ts';
import { type Batch, type Counts, storeBatches } from './flush.ts';

/** Transactions at once; more would only wait for the same disk, and leave no connection for those who read. */
const FLUSHES = 4;
/** Frames of one transaction, bytes; beyond that the next one takes over. */
const FLUSH_BYTES = 4 * 1_048_576;

interface Pending extends Batch {
  resolve(counts: Counts): void;
  reject(error: unknown): void;
}

/**
 * Takes heartbeats in: batches that wait share one transaction, several of these are under way at once, and a server's
 * batches are never in two of them, so that they are counted in the order in which they came.
 */
export class Heartbeats {
  readonly #database: Database;
  readonly #busy = new Set<string>();
  readonly #flushes = new Set<Promise<void>>();
  #queue: Pending[] = [];
  #woken = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Stores what is new of a batch; resolves when that is committed. */
  accept(server: Server, key: KeyUse, beats: Incoming[], received: number): Promise<Counts> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ server, key, beats, received, resolve, reject });
      if (this.#woken) return;
      this.#woken = true;
      setImmediate(() => {
        this.#woken = false;
        this.#pump();
      });
    });
  }

  /** Waits until what came in is stored, or refused. */
  async drain(): Promise<void> {
    this.#pump();
    while (this.#flushes.size > 0) await Promise.race(this.#flushes);
  }

  #pump(): void {
    while (this.#flushes.size < FLUSHES) {
      const batches = this.#next();
      if (batches.length === 0) return;
      const servers = new Set(batches.map(({ server }) => server.id));
      for (const id of servers) this.#busy.add(id);
      const flush: Promise<void> = this.#flush(batches).finally(() => {
        for (const id of servers) this.#busy.delete(id);
        this.#flushes.delete(flush);
        this.#pump();
      });
      this.#flushes.add(flush);
    }
  }

  /** What goes into the next transaction: all that waits of servers that are in none, up to a size. */
  #next(): Pending[] {
    const [taken, left]: [Pending[], Pending[]] = [[], []];
    // Once one of a server must wait, the later ones do too.
    const waiting = new Set(this.#busy);
    let bytes = 0;
    for (const one of this.#queue) {
      if (waiting.has(one.server.id) || bytes >= FLUSH_BYTES) {
        waiting.add(one.server.id);
        left.push(one);
        continue;
      }
      taken.push(one);
      for (const beat of one.beats) bytes += beat.frame.length;
    }
    this.#queue = left;
    return taken;
  }

  async #flush(batches: Pending[]): Promise<void> {
    try {
      const counts = await this.#database.transaction((sql) => storeBatches(sql, batches));
      for (const [index, batch] of batches.entries()) {
        const count = counts[index];
        if (count instanceof ScoutError) batch.reject(count);
        else if (count) batch.resolve(count);
      }
    } catch (error) {
      const [only] = batches;
      const gone = error instanceof ScoutError && error.code === 'HUB_DATABASE';
      if (batches.length === 1) only?.reject(error);
      else if (gone) for (const one of batches) one.reject(error);
      // One batch must not take those that shared its transaction down with it.
      else for (const one of batches) await this.#flush([one]);
    }
  }
}
