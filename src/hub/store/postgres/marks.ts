type Range = [low: number, high: number];

/** What the database knows of an instance's numbers; `gaps` are at least those that the numbers to be marked may lie in. */
export interface Seen {
  first: number;
  last: number;
  accepted: number;
  duplicates: number;
  /** Inclusive ranges, in their order. */
  gaps: Range[];
}

/**
 * Which sequence numbers of an instance have come in: its first and last, and the gaps between. The same reckoning as in
 * sqlite/sequences.ts, in memory: it takes the rows in one answer and gives their changes in one statement.
 */
export class Marks {
  first: number;
  last: number;
  accepted: number;
  duplicates: number;
  readonly #before: Map<number, number>;
  readonly #gaps: Range[];

  /** Nothing `seen`: an instance that is new, of which `first` comes first. */
  constructor(seen: Seen | undefined, first: number) {
    // Nothing seen yet, so the last one stands before the first.
    this.first = seen?.first ?? first;
    this.last = seen?.last ?? first - 1;
    this.accepted = seen?.accepted ?? 0;
    this.duplicates = seen?.duplicates ?? 0;
    this.#before = new Map(seen?.gaps);
    this.#gaps = seen?.gaps.map(([low, high]) => [low, high]) ?? [];
  }

  /** Marks a number as seen; tells whether it was new. */
  mark(sequence: number): boolean {
    const isNew = this.#take(sequence);
    if (isNew) this.accepted++;
    else this.duplicates++;
    return isNew;
  }

  /** How the gaps have changed: the low ends of those to delete, then what to insert. */
  changes(): { drop: number[]; add: Range[] } {
    const now = new Map(this.#gaps);
    return {
      drop: [...this.#before].filter(([low, high]) => now.get(low) !== high).map(([low]) => low),
      add: [...now].filter(([low, high]) => this.#before.get(low) !== high),
    };
  }

  #take(sequence: number): boolean {
    if (sequence > this.last) {
      if (sequence > this.last + 1) this.#gaps.push([this.last + 1, sequence - 1]);
      this.last = sequence;
      return true;
    }
    if (sequence < this.first) {
      if (sequence < this.first - 1) this.#gaps.unshift([sequence + 1, this.first - 1]);
      this.first = sequence;
      return true;
    }
    return this.#fill(sequence);
  }

  #fill(sequence: number): boolean {
    let [from, to] = [0, this.#gaps.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#gaps[middle] as Range)[1] < sequence) from = middle + 1;
      else to = middle;
    }
    const [low, high] = this.#gaps[from] ?? [Number.POSITIVE_INFINITY, 0];
    if (low > sequence) return false;
    const rest: Range[] = [
      [low, sequence - 1],
      [sequence + 1, high],
    ];
    this.#gaps.splice(from, 1, ...rest.filter(([begin, end]) => begin <= end));
    return true;
  }
}
