import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Instance } from '../store.ts';

/**
 * Most gaps kept of one instance; beyond that the lowest are taken as lost for good. An agent sends in order, so a gap
 * ten thousand gaps behind is never filled, and one that skips every other number must not fill the database.
 */
const GAPS_MOST = 10_000;

interface Counted {
  number: number;
  first: number;
  last: number;
  accepted: number;
  duplicates: number;
  /** Whether a gap was added. */
  torn: boolean;
}

/**
 * Which sequence numbers of an instance have come in: its first and last, and the gaps between. An instance is known
 * by its server and its id together, so that no server can mark another one's numbers as seen.
 */
export class Sequences {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #gapAt: StatementSync;
  readonly #addGap: StatementSync;
  readonly #dropGap: StatementSync;
  readonly #trimGaps: StatementSync;
  readonly #list: StatementSync;
  readonly #gaps: StatementSync;
  readonly #forget: StatementSync;

  constructor(database: DatabaseSync) {
    this.#find = database.prepare(
      'SELECT number, first_sequence AS first, last_sequence AS last, accepted, duplicates FROM instances WHERE server = ? AND id = ?',
    );
    this.#insert = database.prepare(
      'INSERT INTO instances (server, id, first_sequence, last_sequence, accepted, duplicates) VALUES (?, ?, ?, ?, 0, 0)',
    );
    this.#update = database.prepare(
      'UPDATE instances SET first_sequence = ?, last_sequence = ?, accepted = ?, duplicates = ?, seen_at = ? WHERE number = ?',
    );
    this.#gapAt = database.prepare('SELECT low, high FROM gaps WHERE instance = ? AND low <= ? ORDER BY low DESC LIMIT 1');
    this.#addGap = database.prepare('INSERT INTO gaps (instance, low, high) VALUES (?, ?, ?)');
    this.#dropGap = database.prepare('DELETE FROM gaps WHERE instance = ? AND low = ?');
    this.#trimGaps = database.prepare(
      `DELETE FROM gaps WHERE instance = ?1 AND low <= (SELECT low FROM gaps WHERE instance = ?1 ORDER BY low DESC LIMIT 1 OFFSET ${GAPS_MOST})`,
    );
    this.#list = database.prepare(
      'SELECT i.* FROM instances AS i JOIN servers AS s ON s.number = i.server WHERE s.id = ? ORDER BY i.number',
    );
    this.#gaps = database.prepare('SELECT low, high FROM gaps WHERE instance = ? ORDER BY low');
    this.#forget = database.prepare('DELETE FROM instances WHERE seen_at < ?');
  }

  /** Marks numbers as seen at a time, in their order; tells for each whether it was new. Belongs into the caller's transaction. */
  mark(server: number, instance: string, sequences: number[], at: number): boolean[] {
    const state = this.#open(server, instance, sequences[0] as number);
    const fresh = sequences.map((sequence) => this.#take(state, sequence));
    for (const isNew of fresh) isNew ? state.accepted++ : state.duplicates++;
    if (state.torn) this.#trimGaps.run(state.number);
    this.#update.run(state.first, state.last, state.accepted, state.duplicates, at, state.number);
    return fresh;
  }

  list(serverId: string): Instance[] {
    return this.#list.all(serverId).map((row) => ({
      id: row.id as string,
      serverId,
      firstSequence: row.first_sequence as number,
      lastSequence: row.last_sequence as number,
      accepted: row.accepted as number,
      duplicates: row.duplicates as number,
      gaps: this.#gaps.all(row.number as number).map((gap) => [gap.low as number, gap.high as number]),
    }));
  }

  /** Forgets instances that were last heard from before a time, with their gaps. */
  forget(before: number): void {
    this.#forget.run(before);
  }

  #open(server: number, instance: string, sequence: number): Counted {
    const found = this.#find.get(server, instance) as unknown as Omit<Counted, 'torn'> | undefined;
    if (found) return { ...found, torn: false };
    const { lastInsertRowid } = this.#insert.run(server, instance, sequence, sequence);
    // Nothing seen yet, so the last one stands before the first.
    return { number: Number(lastInsertRowid), first: sequence, last: sequence - 1, accepted: 0, duplicates: 0, torn: false };
  }

  #take(state: Counted, sequence: number): boolean {
    if (sequence > state.last) {
      if (sequence > state.last + 1) this.#tear(state, state.last + 1, sequence - 1);
      state.last = sequence;
      return true;
    }
    if (sequence < state.first) {
      if (sequence < state.first - 1) this.#tear(state, sequence + 1, state.first - 1);
      state.first = sequence;
      return true;
    }
    return this.#fill(state, sequence);
  }

  #fill(state: Counted, sequence: number): boolean {
    const gap = this.#gapAt.get(state.number, sequence) as { low: number; high: number } | undefined;
    if (!gap || gap.high < sequence) return false;
    this.#dropGap.run(state.number, gap.low);
    if (gap.low < sequence) this.#tear(state, gap.low, sequence - 1);
    if (sequence < gap.high) this.#tear(state, sequence + 1, gap.high);
    return true;
  }

  #tear(state: Counted, low: number, high: number): void {
    this.#addGap.run(state.number, low, high);
    state.torn = true;
  }
}
