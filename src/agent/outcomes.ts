import type { Outcome, StoredHeartbeat } from '../delivery/heartbeats.ts';
import type { HeartbeatReport } from './control.ts';
import { PRIMARY } from './deliveries.ts';
import type { Position } from './sampler.ts';

/** `final`: false for a refusal after which another key may be tried; once none is left, the last one is told again. */
export type Sent = (destination: string, batch: StoredHeartbeat[], outcome: Outcome, final: boolean) => void;

/** Tells whoever listens what became of each batch. */
export class Outcomes {
  readonly #listeners = new Set<Sent>();
  /** The last refusal that was not final. */
  #refusal: [string, StoredHeartbeat[], Outcome] | undefined;

  /** Returns how to listen no more. */
  listen(listener: Sent): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(destination: string, batch: StoredHeartbeat[], outcome: Outcome, final: boolean): void {
    if (destination === PRIMARY) this.#refusal = final ? undefined : [destination, batch, outcome];
    for (const listener of this.#listeners) listener(destination, batch, outcome, final);
  }

  /** The search has ended: the refusal that it began with was the last word. */
  finish(): void {
    if (this.#refusal) this.tell(...this.#refusal, true);
  }

  /** What the service of `api.*` says of the heartbeat that `send` makes, or what keeps it from getting there. */
  async of(send: () => Promise<Position>): Promise<HeartbeatReport> {
    const { promise, resolve } = Promise.withResolvers<HeartbeatReport>();
    let mine: Position | undefined;
    const forget = this.listen((destination, batch, outcome, final) => {
      if (destination !== PRIMARY || !mine || !final) return;
      const { instance, sequence } = mine;
      const included = batch.some((one) => one.instance === instance && one.sequence === sequence);
      if (included || outcome.kind !== 'accepted') resolve({ instance, sequence, outcome });
    });
    try {
      mine = await send();
      return await promise;
    } finally {
      forget();
    }
  }
}
