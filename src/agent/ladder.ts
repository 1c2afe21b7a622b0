/** Where a key that is sent was found. */
export type KeyFrom = 'configuration' | 'current' | 'next' | 'previous' | 'quarantine';

/** A key that can be tried, by its fingerprint. */
export interface Rung {
  fingerprint: string;
  from: KeyFrom;
  /** Fingerprint of a key that is known to be dead since this one was born. */
  ended?: string;
}

/** What is to be done: nothing, read the files anew, send at once with the key now in force, or with it after the pause. */
export type Move = 'stay' | 'read' | 'try' | 'rest';

/** Which of the keyring's keys are tried first. */
const ORDER: readonly KeyFrom[] = ['current', 'next', 'previous', 'quarantine'];

/**
 * Which key is sent, and which one after a refusal: the files are read anew, then the configured key and those of the
 * keyring are tried, each fingerprint once a round. What the configuration holds wins whenever it changes, unless it is
 * known to be dead. Does nothing by itself: it is told what happened, and answers what to do.
 */
export class Ladder {
  #configured: Rung;
  #kept: Rung[];
  #inForce: Rung;
  #state: 'steady' | 'reading' | 'trying' | 'resting' = 'steady';
  /** Whether a key other than the configured one is in force without a search. */
  #unsaid = false;
  /** A key that was refused although it was to have ended the configured one. */
  #belied: string | undefined;
  /** Fingerprints that were refused in this round. */
  #refused = new Set<string>();

  constructor(configured: string, kept: readonly Rung[]) {
    this.#configured = { fingerprint: configured, from: 'configuration' };
    this.#kept = inOrder(kept);
    this.#inForce = this.#first;
  }

  /** The key that the next request carries. */
  get inForce(): Rung {
    return this.#inForce;
  }

  get configured(): string {
    return this.#configured.fingerprint;
  }

  /** Whether another key may be tried yet; until then a refusal is not the last word. */
  get deciding(): boolean {
    return this.#state === 'reading' || this.#state === 'trying';
  }

  /** Whether every key was refused, and the configured one waits for its next turn. */
  get resting(): boolean {
    return this.#state === 'resting';
  }

  /** The service refused a key. A key that is in force no longer decides nothing. */
  refused(by: string): Move {
    if (by !== this.#inForce.fingerprint || this.#state === 'reading') return 'stay';
    if (this.#state === 'trying') {
      this.#refused.add(by);
      return this.#next();
    }
    if (this.#inForce.ended !== undefined) this.#belied = by;
    this.#refused = new Set([by]);
    this.#state = 'reading';
    return 'read';
  }

  /** The reading that `refused` asked for has ended, well or not. */
  read(): Move {
    return this.#state === 'reading' ? this.#next() : 'stay';
  }

  /** The service took a key. Whether that ends a search. */
  accepted(by: string): boolean {
    if (by !== this.#inForce.fingerprint) return false;
    const searched = this.#state !== 'steady' || this.#unsaid;
    this.#state = 'steady';
    this.#unsaid = false;
    return searched;
  }

  /**
   * The files were read. `edited`: the configuration names another credential or service than before, which ends any
   * search. `asked`: somebody wants a fresh try, where all keys had been refused.
   */
  loaded(configured: string, kept: readonly Rung[], { edited, asked }: { edited: boolean; asked: boolean }): Move {
    this.#configured = { fingerprint: configured, from: 'configuration' };
    this.#kept = inOrder(kept);
    const dead = this.#state === 'steady' && this.#inForce.from === 'configuration' && this.#first !== this.#configured;
    if (edited || dead || (this.#state === 'resting' && asked)) return this.restart();
    // The same key may have moved on in the keyring, from next to current.
    const { fingerprint } = this.#inForce;
    this.#inForce = [this.#configured, ...this.#kept].find((one) => one.fingerprint === fingerprint) ?? this.#inForce;
    return 'stay';
  }

  /** Sends with the configured key, whatever was found before; with its successor where that is known to have ended it. */
  restart(): Move {
    this.#inForce = this.#first;
    this.#unsaid = this.#inForce !== this.#configured;
    this.#state = 'steady';
    return 'try';
  }

  get #first(): Rung {
    return this.#kept.find(({ ended, fingerprint }) => ended === this.configured && fingerprint !== this.#belied) ?? this.#configured;
  }

  #next(): Move {
    const next = [this.#configured, ...this.#kept].find(({ fingerprint }) => !this.#refused.has(fingerprint));
    this.#state = next ? 'trying' : 'resting';
    this.#inForce = next ?? this.#configured;
    return next ? 'try' : 'rest';
  }
}

/** The order within a place, such as newest first, stays. */
function inOrder(kept: readonly Rung[]): Rung[] {
  return kept.toSorted((one, other) => ORDER.indexOf(one.from) - ORDER.indexOf(other.from));
}
