import { Refusal } from '../http/problems.ts';

const RETRY_AFTER_S = 5;

/**
 * Room for bodies that are read and stored at the same time. A fleet that comes back after an outage sends more than fits
 * into memory; whom there is no room for keeps its heartbeats and comes again.
 */
export class Room {
  readonly #most: number;
  #taken = 0;

  /** `most`: bytes. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Runs `work` with `bytes` of room. Rejects with a Refusal (503) where that is not free. */
  async hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#taken + bytes > this.#most)
      throw new Refusal('busy', 'The hub handles as many bodies as it has room for.', {
        headers: { 'retry-after': String(RETRY_AFTER_S) },
      });
    this.#taken += bytes;
    try {
      return await work();
    } finally {
      this.#taken -= bytes;
    }
  }
}
