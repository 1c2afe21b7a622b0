import type { Outcome, StoredHeartbeat } from '../delivery/heartbeats.ts';
import type { SenderStatus } from '../delivery/sender.ts';
import { ScoutError } from '../support/errors.ts';
import type { HeartbeatReport } from './control.ts';
import { PRIMARY } from './deliveries.ts';
import type { Position } from './sampler.ts';

/** `final`: false for a refusal after which another key may be tried; once none is left, that of the configured key is told again. */
export type Sent = (destination: string, batch: StoredHeartbeat[], outcome: Outcome, final: boolean) => void;

/** How long somebody who asked for a heartbeat waits for the answer, ms; `held`: where a rotation holds sending back. */
const WAIT_MS = { sent: 60_000, held: 10_000 };

/** How it stands with the service of `api.*`. */
interface Lane {
  readonly held: boolean;
  readonly primary: Pick<SenderStatus, 'pending' | 'problem'> | undefined;
}

/** Tells whoever listens what became of each batch. */
export class Outcomes {
  readonly #listeners = new Set<Sent>();
  readonly #configured: () => string;
  /** Of the search under way, each key's refusal by fingerprint: one a key. */
  readonly #refusals = new Map<string | undefined, [StoredHeartbeat[], Outcome]>();

  /** `configured`: fingerprint of the key that the configuration asks for. */
  constructor(configured: () => string) {
    this.#configured = configured;
  }

  /** Returns how to listen no more. */
  listen(listener: Sent): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(destination: string, batch: StoredHeartbeat[], outcome: Outcome, final: boolean): void {
    if (destination !== PRIMARY) {
      this.#tell(destination, batch, outcome, final);
      return;
    }
    if (!final) this.#refusals.set(outcome.by, [batch, outcome]);
    // The key that ended the search says less: it is an older one, which nobody set.
    const told = final && outcome.kind === 'unauthorized' ? this.#refusals.get(this.#configured()) : undefined;
    if (final) this.#refusals.clear();
    this.#tell(destination, ...(told ?? [batch, outcome]), final);
  }

  /** The search has ended where no further key was there to be tried. */
  finish(): void {
    const last = [...this.#refusals.values()].at(-1);
    if (last) this.tell(PRIMARY, ...last, true);
  }

  #tell(...sent: Parameters<Sent>): void {
    for (const listener of this.#listeners) listener(...sent);
  }

  /**
   * What the service of `api.*` says of the heartbeat that `send` makes, or what keeps it from getting there. Throws
   * HEARTBEAT_WAITS where nothing is heard of it for long; the heartbeat lies in the outbox then.
   */
  async of(lane: Lane, send: () => Promise<Position>): Promise<HeartbeatReport> {
    const { promise, resolve, reject } = Promise.withResolvers<HeartbeatReport>();
    let mine: Position | undefined;
    const forget = this.listen((destination, batch, outcome, final) => {
      if (destination !== PRIMARY || !mine || !final) return;
      const { instance, sequence } = mine;
      const included = batch.some((one) => one.instance === instance && one.sequence === sequence);
      if (included || outcome.kind !== 'accepted') resolve({ instance, sequence, outcome });
    });
    let timer: NodeJS.Timeout | undefined;
    try {
      const { instance, sequence } = await send();
      mine = { instance, sequence };
      const waits = () => new ScoutError('HEARTBEAT_WAITS', { sequence, detail: reasonOf(lane) });
      timer = setTimeout(() => reject(waits()), lane.held ? WAIT_MS.held : WAIT_MS.sent);
      return await promise;
    } finally {
      clearTimeout(timer);
      forget();
    }
  }
}

function reasonOf({ held, primary }: Lane): string {
  if (held) return 'a rotation of the key holds sending back';
  if (primary?.problem) return primary.problem.detail;
  return primary && primary.pending > 1 ? `it is one of ${primary.pending} that go in their order` : 'there is no answer yet';
}
