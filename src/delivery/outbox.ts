import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { pack } from '../protocol/frame.ts';
import { type Counters, readCounters } from './counters.ts';
import { type Opened, openDatabase } from './database.ts';
import type { Make, StoredHeartbeat } from './heartbeats.ts';
import { type Loss, Losses } from './losses.ts';
import { Pages } from './pages.ts';
import { prepareStatements, type Statements, transaction } from './statements.ts';

/** A heartbeat that waits in a store, with its place in that store. */
export interface Pending extends StoredHeartbeat {
  readonly store: Outbox;
  readonly position: number;
}

export interface OutboxOptions {
  /** Most bytes of pages in use; then the oldest go. */
  maxBytes: number;
  /** Mark of this machine; a file that carries another one was cloned, and begins a new instance. */
  machine?: string | undefined;
  /** The handle that this one takes over from within the process: what it knows of the counter settles any doubt. */
  after?: Outbox | undefined;
}

/** Pages are given back once a backlog is no larger than this. */
const FEW = 64;

/**
 * The heartbeats that some destination still lacks, in one SQLite file. The instance id and the counter live in that
 * same file, so a number always comes from the store that holds its heartbeat, and a store that was lost, rolled back,
 * put back or cloned begins a new instance: no number that was ever sent is given out twice. Methods throw SQLite's errors.
 */
export class Outbox {
  readonly path: string;
  /** Why a new instance began although the file has an older one; undefined when it did not. */
  readonly renewed: Counters['renewed'];
  /** Heartbeats dropped since it was opened, to stay within bounds. */
  dropped = 0;
  /** As in the options; holds from the next write on. */
  maxBytes: number;
  readonly #db: DatabaseSync;
  readonly #losses: Losses;
  readonly #marks: Pick<Counters, 'machine' | 'born'>;
  readonly #pages: Pages;
  readonly #statements: Statements;
  /** What each destination has, up to and with this position. The truth; the file follows. */
  readonly cursors = new Map<string, number>();
  #instance: string;
  #sequence: number;
  #position: number;
  #first: number;
  #dropReason = 'cap';
  /** We have marked the file as open; done before the first number is taken from it. */
  #begun = false;
  #markedOpen: boolean;

  private constructor(path: string, opened: Opened, options: OutboxOptions) {
    const { db } = opened;
    const counters = readCounters(opened, options.machine, options.after);
    this.path = path;
    this.renewed = counters.renewed;
    this.#db = db;
    this.maxBytes = options.maxBytes;
    this.#losses = new Losses(db);
    this.#pages = new Pages(db);
    this.#statements = prepareStatements(db);
    ({ instance: this.#instance, sequence: this.#sequence, position: this.#position, first: this.#first } = counters);
    this.#marks = counters;
    this.#markedOpen = counters.wasOpen;
    for (const row of db.prepare('SELECT name, position FROM cursors').iterate()) this.cursors.set(String(row.name), Number(row.position));
  }

  /** Opens the store at `path`, making it where there is none; `:memory:` for one that lasts as long as the process. */
  static open(path: string, options: OutboxOptions): Outbox {
    const opened = openDatabase(path);
    try {
      const outbox = new Outbox(path, opened, options);
      // The instance of a new file is kept from the first moment, not from the first heartbeat.
      if (opened.fresh) outbox.begin();
      return outbox;
    } catch (error) {
      opened.db.close();
      throw error;
    }
  }

  /** Who counts the heartbeats that are appended now. */
  get instance(): string {
    return this.#instance;
  }

  /** The number that the next heartbeat gets. */
  get next(): number {
    return this.#sequence;
  }

  /** Heartbeats that some destination lacks. */
  get depth(): number {
    const had = this.cursors.size === 0 ? 0 : Math.min(...this.cursors.values());
    return this.#position - Math.max(this.#first, had + 1);
  }

  /** Bytes of pages in use. */
  get bytes(): number {
    return this.#pages.bytes;
  }

  get losses(): Loss[] {
    return this.#losses.all();
  }

  /** Counts a loss that was found elsewhere. */
  recordLoss(loss: Loss): void {
    this.#transaction(() => this.#losses.add(loss));
  }

  /** Counts what was lost to another that gives out the numbers of `instance`; the next number is a new instance's. */
  renew(instance: string, loss: Loss): void {
    if (instance === this.#instance) [this.#instance, this.#sequence] = [randomUUID(), 1];
    this.#transaction(() => {
      this.#losses.add(loss);
      this.#save(1);
    });
  }

  /**
   * Marks the file as open, in the main file and not only in its log: a log that goes missing is then noticed. The
   * first `append` does it; by itself it tells whether the file can be written.
   */
  begin(): void {
    if (this.#begun) return;
    this.#transaction(() => this.#save(1));
    this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    this.#begun = true;
    this.#markedOpen = true;
  }

  /** Stores one heartbeat under the next number; on return it is on the disk. */
  append(make: Make): { instance: string; sequence: number } {
    return this.appendGroup([make])[0] as Pending;
  }

  /** Stores several in one transaction: all or none. */
  appendGroup(makes: Make[]): { instance: string; sequence: number }[] {
    this.begin();
    const made = makes.map((make, index) => {
      const sequence = this.#sequence + index;
      const { json, time } = make(this.#instance, sequence);
      return { instance: this.#instance, sequence, time, frame: pack(json) };
    });
    this.#store(made, this.#sequence + made.length);
    return made.map(({ instance, sequence }) => ({ instance, sequence }));
  }

  /** Takes in heartbeats of another store, which keep their instance and number. */
  adopt(heartbeats: StoredHeartbeat[]): void {
    if (heartbeats.length > 0) this.#store(heartbeats, this.#sequence);
  }

  /** What a destination lacks (one that has no cursor here: everything), oldest first: at most `maxCount`, at most `maxBytes` of frames, but at least one. */
  batch(destination: string, maxCount: number, maxBytes: number): Pending[] {
    const found: Pending[] = [];
    let bytes = 0;
    if (this.pending(destination) === 0) return found;
    for (const row of this.#statements.read.iterate(this.#cursor(destination)) as Iterable<Record<string, unknown>>) {
      const { position, instance, sequence, time, frame } = row as unknown as Pending;
      bytes += frame.length;
      if (bytes > maxBytes && found.length > 0) break;
      if (found.push({ store: this, position, instance, sequence, time, frame }) >= maxCount) break;
    }
    return found;
  }

  /**
   * A destination has a whole batch now; what all destinations have is deleted. A single heartbeat, the rule while all
   * is well, is noted in memory and saved by the next write, which spares the disk half its work: a crash in between
   * costs one repeated heartbeat, which the service knows as such. Where the file cannot be written this throws, yet holds.
   */
  delivered(destination: string, batch: Pending[]): void {
    // Rows that were dropped, and counted, while they were on their way have arrived after all.
    const late = this.cursors.size === 1 ? batch.filter((row) => row.position < this.#first).length : 0;
    this.advance(destination, batch.at(-1)?.position ?? 0);
    if (batch.length === 1 && late === 0 && this.pending(destination) === 0) return;
    this.#transaction(() => {
      if (late > 0) this.#losses.arrived(this.#dropReason, late);
      this.#persist();
    });
    if (this.depth <= FEW) this.#pages.shrink();
  }

  /** Sets in memory what a destination has; never moves back. The next write to the file carries it along. */
  advance(destination: string, position: number): void {
    if (this.cursors.has(destination)) this.cursors.set(destination, Math.max(this.#cursor(destination), position));
  }

  /** A destination passes over one heartbeat for good: that is a loss, and counted. */
  skip(destination: string, heartbeat: Pending, reason: string): void {
    this.advance(destination, heartbeat.position);
    this.#transaction(() => {
      this.#losses.add({ reason, count: 1, from: heartbeat.time, to: heartbeat.time });
      this.#persist();
    });
  }

  /** Heartbeats that a destination lacks. */
  pending(destination: string): number {
    return Math.max(0, this.#position - 1 - this.#cursor(destination));
  }

  /**
   * Sets who gets heartbeats. A new name begins at the oldest one held; a name that is gone loses its cursor.
   * Returns those with what they had not got.
   */
  setDestinations(names: string[]): { name: string; left: number }[] {
    const gone = [...this.cursors.keys()].filter((name) => !names.includes(name)).map((name) => ({ name, left: this.pending(name) }));
    const added = names.filter((name) => !this.cursors.has(name));
    if (gone.length + added.length === 0) return [];
    for (const { name } of gone) this.cursors.delete(name);
    for (const name of added) this.cursors.set(name, this.#first - 1);
    this.#transaction(() => {
      for (const { name } of gone) this.#db.prepare('DELETE FROM cursors WHERE name = ?').run(name);
      this.#persist();
    });
    return gone;
  }

  /** Keeps the file at its present size while `hold` is true, whatever the cap says. */
  holdSize(hold: boolean): void {
    this.#pages.hold(hold);
  }

  /** Closes the file cleanly; what cannot be written any more is left as it is. */
  close(): void {
    if (!this.#db.isOpen) return;
    try {
      if (this.#markedOpen) this.#transaction(() => this.#save(0));
    } catch {
      // The file cannot be written: the next start sees one that was not closed, which is true.
    }
    this.#db.close();
  }

  #cursor(destination: string): number {
    return Math.max(this.cursors.get(destination) ?? 0, this.#first - 1);
  }

  #store(heartbeats: StoredHeartbeat[], nextSequence: number): void {
    this.#transaction(() => {
      for (const { instance, sequence, time, frame } of heartbeats)
        this.#statements.insert.run(this.#position++, instance, sequence, time, frame);
      this.#sequence = nextSequence;
      this.#save(1);
      this.#trim(this.#position - 1);
    });
  }

  #save(open: 0 | 1): void {
    this.#persist();
    this.#statements.meta.run(this.#instance, this.#sequence, this.#position, this.#marks.machine, open, this.#marks.born);
  }

  /** Drops the oldest until the pages in use are within bounds; never `last`, which is the newest. */
  #trim(last: number): void {
    const limit = this.#pages.limit(this.maxBytes);
    let over = this.#pages.used - limit.pages;
    if (over <= 0) return;
    this.#persist();
    this.#pages.changed();
    this.#dropReason = limit.reason;
    for (; over > 0 && this.#first < last; over = this.#pages.used - limit.pages) {
      const upTo = Math.min(last - 1, this.#first + over - 1);
      this.dropped += this.#losses.count(limit.reason, upTo);
      this.#statements.drop.run(upTo);
      this.#first = upTo + 1;
    }
  }

  #persist(): void {
    for (const [name, position] of this.cursors) this.#statements.cursor.run(name, position);
    if (this.cursors.size === 0) return;
    const had = Math.min(...this.cursors.values());
    if (had < this.#first) return;
    this.#statements.drop.run(had);
    this.#first = had + 1;
  }

  #transaction(work: () => void): void {
    const [sequence, position, first] = [this.#sequence, this.#position, this.#first];
    this.#pages.changed();
    try {
      transaction(this.#db, this.#statements, work);
    } catch (error) {
      [this.#sequence, this.#position, this.#first] = [sequence, position, first];
      for (const known of [this.#pages, this.#losses]) known.changed();
      throw error;
    }
  }
}
