import type { Outcome, StoredHeartbeat } from './heartbeats.ts';
import type { Loss } from './losses.ts';

/**
 * Notices that another gives out this agent's numbers: a machine that was put back to an earlier state (a snapshot), or runs
 * twice. The service then takes what it is sent for something that it has. One for each destination.
 */
export class Twin {
  /** All that went before was answered: what is sent now cannot have arrived already. */
  #clear = false;

  /** What was lost by the answer to a batch. `left` is how many heartbeats the destination lacks after it. */
  lost(batch: StoredHeartbeat[], outcome: Outcome, left: number): Loss | undefined {
    const wasClear = this.#clear;
    // After a failure, and at the start, a heartbeat may be there whose answer was lost: then duplicates are as they should be.
    this.#clear = outcome.kind === 'accepted' && left === 0;
    if (!wasClear || outcome.kind !== 'accepted') return undefined;
    const [first, last] = [batch[0], batch[outcome.duplicates - 1]];
    // The numbers that the other has used are the lower ones.
    return first && last && { reason: 'number-taken', count: outcome.duplicates, from: first.time, to: last.time };
  }
}
