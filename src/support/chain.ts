import { createHash } from 'node:crypto';

/*
 * A log that nobody can edit unseen: each line carries its number, the hash of the line before it, and its own hash,
 * SHA-256 over its JSON without `hash`. Members are hashed in the order in which they stand.
 */

/** What ties a line to the one before it. */
export interface Link {
  seq: number;
  /** Hash of the line before; of the first line, 64 zeros. */
  prev: string;
  hash: string;
}

/** `prev` of the first line. */
const CHAIN_START = '0'.repeat(64);

/** An entry as the line that follows `before`. */
export function link<Entry extends object>(entry: Entry, before: Pick<Link, 'seq' | 'hash'> | null): Entry & Link {
  const open = { seq: (before?.seq ?? 0) + 1, ...entry, prev: before?.hash ?? CHAIN_START };
  return { ...open, hash: hashOf(open) };
}

/** What is wrong with a line that should follow `before`; undefined when it does. */
export function faultOf(line: Link, before: Pick<Link, 'seq' | 'hash'> | null): string | undefined {
  const { hash, ...open } = line;
  if (hashOf(open) !== hash) return 'its content is not what its hash says: it was edited';
  if (line.seq !== (before?.seq ?? 0) + 1)
    return `it has number ${line.seq}, and ${(before?.seq ?? 0) + 1} was due: lines are missing or out of order`;
  if (line.prev !== (before?.hash ?? CHAIN_START)) return 'it does not follow from the line before it: that one was edited or replaced';
  return undefined;
}

const hashOf = (open: object): string => createHash('sha256').update(JSON.stringify(open)).digest('hex');
