import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A store keeps this many pages whatever the bounds, and as many free ones, so that a few heartbeats come and go without the file changing size. */
const SPARE = 64;
const VACUUM_STEP = 2_048;

/** The size of a SQLite file: what is in use, how much may be, and giving pages back. */
export class Pages {
  readonly #db: DatabaseSync;
  readonly #size: number;
  readonly #count: StatementSync;
  readonly #free: StatementSync;
  #held = Number.MAX_SAFE_INTEGER;
  /** Pages in use as they were last asked for; undefined when that may have changed. */
  #known: number | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#size = (db.prepare('PRAGMA page_size').get() as { page_size: number }).page_size;
    this.#count = db.prepare('PRAGMA page_count');
    this.#free = db.prepare('PRAGMA freelist_count');
  }

  /** Pages in use. */
  get used(): number {
    this.#known = this.#total() - this.#freeCount();
    return this.#known;
  }

  /** The file is written to, or what was written is taken back: `bytes` has to be asked for anew. */
  changed(): void {
    this.#known = undefined;
  }

  /** Bytes of the pages in use; the file is asked only when it was written to since. */
  get bytes(): number {
    return (this.#known ?? this.used) * this.#size;
  }

  /** While `hold` is true the file may not become larger than it was when that began. */
  hold(hold: boolean): void {
    if (!hold) this.#held = Number.MAX_SAFE_INTEGER;
    else if (this.#held === Number.MAX_SAFE_INTEGER) this.#held = Math.max(SPARE, this.#total());
  }

  /** Most pages that may be in use under a cap of `maxBytes`, and which of the two bounds says so. */
  limit(maxBytes: number): { pages: number; reason: 'cap' | 'disk-space' } {
    const cap = Math.max(SPARE, Math.floor(maxBytes / this.#size));
    return this.#held < cap ? { pages: this.#held, reason: 'disk-space' } : { pages: cap, reason: 'cap' };
  }

  /** Gives free pages back to the disk, a bounded number at a time. */
  shrink(): void {
    const free = this.#freeCount();
    if (free > 4 * SPARE) this.#db.exec(`PRAGMA incremental_vacuum(${Math.min(VACUUM_STEP, free - SPARE)})`);
  }

  #total(): number {
    return (this.#count.get() as { page_count: number }).page_count;
  }

  #freeCount(): number {
    return (this.#free.get() as { freelist_count: number }).freelist_count;
  }
}
