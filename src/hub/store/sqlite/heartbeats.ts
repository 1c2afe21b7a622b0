import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { ScoutError } from '../../../support/errors.ts';
import { stateOf } from '../../servers.ts';
import { ENDED_KEPT_MS, INSTANCE_KEPT_MS, type Incoming, type Instance, type KeyUse, type Server } from '../store.ts';
import { Sequences } from './sequences.ts';
import { transaction } from './transaction.ts';

/** A key's last use is written no oftener than this, in ms. */
const LAST_USED_EVERY_MS = 5_000;
/**
 * A commit follows the one before no sooner than this, in ms, and no sooner than that one took, up to a most: what comes
 * in between shares the next one, and on a slow disk others are served half of the time. Lone heartbeats are committed at once.
 */
const GATHER_MS = 5;
const GATHER_MOST_MS = 100;
/** Heartbeats after which a transaction ends, whatever waits: nobody else is served while it is written. */
const COMMIT_MOST = 1_000;
/** Rows dropped under one lock. */
const PRUNE_STEP = 1_000;
const FORGET_EVERY_MS = 3_600_000;
const SESSION_UNSEEN_MS = 7 * 86_400_000;
/** How long one who comes with a token that has ended is told so. */
const TOKEN_TOLD_MS = 7 * 86_400_000;

export interface Counts {
  accepted: number;
  duplicates: number;
}

interface Pending {
  server: Server;
  key: KeyUse;
  batch: Incoming[];
  received: number;
  resolve(counts: Counts): void;
  reject(error: unknown): void;
}

/** The heartbeats' half of the SQLite store: what came in, once each, and a recent window of it. */
export class Heartbeats {
  readonly #database: DatabaseSync;
  readonly #spare: () => number;
  readonly #sequences: Sequences;
  readonly #number: StatementSync;
  readonly #insert: StatementSync;
  readonly #before: StatementSync;
  readonly #latest: StatementSync;
  readonly #inventory: StatementSync;
  readonly #used: StatementSync[];
  readonly #promote: StatementSync;
  readonly #recent: StatementSync;
  readonly #prune: StatementSync;
  readonly #orphans: StatementSync;
  readonly #sessions: StatementSync;
  readonly #mints: StatementSync;
  readonly #ended: StatementSync;
  readonly #tokens: StatementSync;
  readonly #size: StatementSync;
  #queue: Pending[] = [];
  /** When the next commit may be, monotonic. */
  #nextCommit = Number.NEGATIVE_INFINITY;
  /** Up to when instances were last forgotten. */
  #forgotten = Number.NEGATIVE_INFINITY;

  /** `spare`: bytes by which the database may grow before its disk counts as full; negative when it does. */
  constructor(database: DatabaseSync, spare: () => number) {
    this.#database = database;
    this.#spare = spare;
    this.#sequences = new Sequences(database);
    this.#number = database.prepare('SELECT number FROM servers WHERE id = ?');
    this.#insert = database.prepare('INSERT INTO heartbeats (server, time, received, frame) VALUES (?, ?, ?, ?)');
    this.#before = database.prepare('SELECT received, interval, alive_since FROM latest WHERE server = ?');
    this.#latest = database.prepare('INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#inventory = database.prepare('INSERT OR REPLACE INTO inventories VALUES (?, ?)');
    this.#used = ['keys', 'credentials'].map((table) =>
      database.prepare(`UPDATE ${table} SET last_used = ?1 WHERE id = ?2 AND (last_used IS NULL OR abs(?1 - last_used) >= ?3)`),
    );
    this.#promote = database.prepare(`
      UPDATE keys SET slot = iif(id = ?1, 'current', 'previous')
      WHERE server = (SELECT server FROM keys WHERE id = ?1 AND slot = 'next') AND (id = ?1 OR slot = 'current')`);
    this.#recent = database.prepare(
      'SELECT time, frame FROM heartbeats WHERE server = (SELECT number FROM servers WHERE id = ?) AND time >= ? AND time < ? ORDER BY time, number',
    );
    this.#prune = database.prepare(
      'DELETE FROM heartbeats WHERE number IN (SELECT number FROM heartbeats WHERE received < ? ORDER BY received LIMIT ?)',
    );
    this.#orphans = database.prepare('DELETE FROM heartbeats WHERE number IN (SELECT number FROM heartbeats WHERE server = ? LIMIT ?)');
    this.#sessions = database.prepare('DELETE FROM sessions WHERE last_seen < ?');
    this.#mints = database.prepare('DELETE FROM mints WHERE until < ?');
    this.#ended = database.prepare('DELETE FROM ended_keys WHERE ended_at < ?');
    this.#tokens = database.prepare('DELETE FROM tokens WHERE expires_at < ?');
    this.#size = database.prepare(
      'SELECT page_count * page_size AS file, (page_count - freelist_count) * page_size AS used FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()',
    );
  }

  /** Batches that arrive at about the same time share one commit, so one fsync serves them all. */
  accept(server: Server, key: KeyUse, batch: Incoming[], received: number): Promise<Counts> {
    return new Promise((resolve, reject) => {
      if (this.#queue.push({ server, key, batch, received, resolve, reject }) === 1) this.#commitSoon();
    });
  }

  #commitSoon(): void {
    const wait = this.#nextCommit - performance.now();
    if (wait > 0) setTimeout(() => this.#commitSome(), wait);
    else setImmediate(() => this.#commitSome());
  }

  #commitSome(): void {
    this.#commit(this.#firstOfQueue());
    // The rest at once, but after whoever else waits to be served.
    if (this.#queue.length > 0) setImmediate(() => this.#commitSome());
  }

  #firstOfQueue(): Pending[] {
    let heartbeats = 0;
    const end = this.#queue.findIndex(({ batch }) => {
      heartbeats += batch.length;
      return heartbeats >= COMMIT_MOST;
    });
    return this.#queue.splice(0, end < 0 ? this.#queue.length : end + 1);
  }

  /** Commits all that waits. */
  flush(): void {
    this.#commit(this.#queue.splice(0));
  }

  #commit(queue: Pending[]): void {
    if (queue.length === 0) return;
    const start = performance.now();
    try {
      const counts = transaction(this.#database, () => queue.map((one) => this.#store(one)));
      counts.forEach((count, index) => void queue[index]?.resolve(count));
    } catch (error) {
      if (queue.length === 1) queue[0]?.reject(error);
      else for (const one of queue) this.#alone(one);
    }
    const end = performance.now();
    this.#nextCommit = end + Math.min(Math.max(end - start, GATHER_MS), GATHER_MOST_MS);
  }

  /** One batch must not take those that shared its transaction down with it. */
  #alone(one: Pending): void {
    try {
      one.resolve(transaction(this.#database, () => this.#store(one)));
    } catch (error) {
      one.reject(error);
    }
  }

  useKey(key: KeyUse, at: number): void {
    if (key.lastUsed !== null && Math.abs(at - key.lastUsed) < LAST_USED_EVERY_MS) return;
    // Of a key or of a credential: no id is both.
    this.#used.some((table) => table.run(at, key.id, LAST_USED_EVERY_MS).changes > 0);
    if (key.slot === 'next') this.#promote.run(key.id);
  }

  instances(serverId: string): Instance[] {
    return this.#sequences.list(serverId);
  }

  recent(serverId: string, from: number, to: number): { time: number; frame: Uint8Array }[] {
    return this.#recent.all(serverId, from, to).map((row) => ({ time: row.time as number, frame: row.frame as Uint8Array }));
  }

  /** Drops the old in steps, then the oldest until the rest fits, and lets requests through between the steps. */
  async prune(before: number, mostBytes: number): Promise<{ old: number; excess: number }> {
    this.#sessions.run(before - SESSION_UNSEEN_MS);
    this.#mints.run(before);
    this.#ended.run(before - ENDED_KEPT_MS);
    this.#tokens.run(before - TOKEN_TOLD_MS);
    this.#forgetInstances(before);
    const old = await this.#inSteps(() => this.#prune.run(before, PRUNE_STEP).changes);
    const most = Math.min(mostBytes, this.#bytes().file + this.#spare());
    const excess = await this.#inSteps(() =>
      this.#bytes().used > most ? this.#prune.run(Number.MAX_SAFE_INTEGER, PRUNE_STEP).changes : 0,
    );
    return { old, excess };
  }

  /** All of them are looked at, so it is done now and then. */
  #forgetInstances(before: number): void {
    if (Math.abs(before - this.#forgotten) < FORGET_EVERY_MS) return;
    this.#forgotten = before;
    this.#sequences.forget(before - INSTANCE_KEPT_MS);
  }

  /** Pages that dropping has freed are used again, so they do not count as used. */
  #bytes(): { file: number; used: number } {
    return this.#size.get() as { file: number; used: number };
  }

  /** Drops all heartbeats of a server (by its number) in steps. */
  async forget(server: number): Promise<void> {
    await this.#inSteps(() => this.#orphans.run(server, PRUNE_STEP).changes);
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

  /** Since when heartbeats have come in without a break, given that one comes in now. */
  #aliveSince(server: number, received: number): number {
    const before = this.#before.get(server) as { received: number; interval: number; alive_since: number } | undefined;
    return before && stateOf(before, received) === 'alive' ? before.alive_since : received;
  }

  #store({ server, key, batch, received }: Pending): Counts {
    const number = this.#number.get(server.id)?.number as number | undefined;
    if (number === undefined) throw new ScoutError('HUB_SERVER_UNKNOWN', { name: server.name });
    let accepted = 0;
    let newest: Incoming | undefined;
    let inventory: Incoming | undefined;
    for (const [instance, beats] of byInstance(batch)) {
      const fresh = this.#sequences.mark(
        number,
        instance,
        beats.map((beat) => beat.sequence),
        received,
      );
      for (const [index, beat] of beats.entries()) {
        if (!fresh[index]) continue;
        this.#insert.run(number, beat.time, received, beat.frame);
        accepted++;
        if (!newest || beat.time >= newest.time) newest = beat;
        if (beat.inventory !== null && (!inventory || beat.time >= inventory.time)) inventory = beat;
      }
    }
    if (newest) {
      const { time, interval, agentVersion, hostName } = newest;
      this.#latest.run(number, time, received, interval, agentVersion, hostName, key.hash, key.slot, this.#aliveSince(number, received));
    }
    if (inventory) this.#inventory.run(number, inventory.inventory);
    this.useKey(key, received);
    return { accepted, duplicates: batch.length - accepted };
  }
}

function byInstance(batch: Incoming[]): Iterable<[string, Incoming[]]> {
  const first = batch[0];
  if (first && batch.every((one) => one.instance === first.instance)) return [[first.instance, batch]];
  return Map.groupBy(batch, (one) => one.instance);
}
