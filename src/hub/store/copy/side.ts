import type { CopiedRow, CopiedTable, Numbers } from './tables.ts';

/** A hub's data at rest: for as long as it is at hand nobody else has it open. */
export interface Source {
  /** For people, without user or password. */
  readonly name: string;
  /** How many rows of a table are copied. */
  count(table: CopiedTable): Promise<number>;
  /** The rows of a table in its order, some at a time. */
  rows(table: CopiedTable): AsyncIterable<CopiedRow[]>;
  numbers(): Promise<Numbers>;
}

/** Where a hub's data is to be: empty, and what is put there is seen by nobody until all of it is, or none. */
export interface Target extends Source {
  /** Adds rows to a table, which is to be filled in the order of COPIED. */
  put(table: CopiedTable, rows: CopiedRow[]): Promise<void>;
  /** Brings what is reckoned from the rows up to date, once all are there. */
  finish(numbers: Numbers): Promise<void>;
}

/** How the two sides go about it. */
export interface Manner {
  /** How long others who have a side open are waited for, ms: what was stopped just now may take a moment to end. */
  patienceMs: number;
  /** Frames of one segment of PostgreSQL's window, bytes: it is let go of in such parts. */
  segmentBytes: number;
}
