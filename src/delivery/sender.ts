import type { Host } from '../support/host.ts';
import type { Log } from '../support/log.ts';
import { CAP_MS, pause, REFUSED_CAP_MS } from './backoff.ts';
import type { Destination, Outcome } from './heartbeats.ts';
import type { Pending } from './outbox.ts';
import type { Spool } from './spool.ts';
import { Trouble } from './trouble.ts';

/** A full batch: larger ones are hardly quicker (docs/delivery.md), and each stays in memory until it is answered. */
const FULL_COUNT = 100;
const FULL_BYTES = 524_288;
const HOLD_MAX_MS = 60_000;

/** The two of node:timers that the sender uses; tests bring their own. */
export interface Timers {
  set(work: () => void, ms: number): unknown;
  clear(timer: unknown): void;
}

export interface SenderOptions {
  destination: Destination;
  spool: Spool;
  host: Pick<Host, 'now' | 'monotonic'>;
  log: Log;
  /** Called with every answer and every failure. */
  onOutcome?: (batch: Pending[], outcome: Outcome) => void;
  /** Called when a hold has lasted its time, to release it once all is ready; unset: it is released at once. */
  onLapse?: () => void;
  /** From 0 up to 1; Math.random unless set. */
  random?: () => number;
  timers?: Timers;
}

/** As in `status --json`, and `failures`, the requests since start that brought nothing. */
export interface SenderStatus {
  name: string;
  endpoint: string;
  state: 'starting' | 'delivering' | 'retrying' | 'unauthorized' | 'forbidden';
  /** Heartbeats not yet delivered there. */
  pending: number;
  /** Last accepted: when (RFC 3339) and which sequence; null before the first. */
  last_accepted: { time: string; instance: string; sequence: number } | null;
  /** Fingerprint the service accepted, and its slot. */
  fingerprint: string | null;
  slot: string | null;
  previous_key_valid_until: string | null;
  /** The failure in force, null when delivering; `next_attempt_in` is in seconds. */
  problem: { since: string; reason: string; detail: string; next_attempt_in: number } | null;
  accepted: number;
  duplicates: number;
  failures: number;
}

/**
 * Brings one destination what it lacks: one request at a time, full batches while all is well, a single heartbeat as a
 * probe after a failure. It sleeps until woken when there is nothing to send, and holds no timer then.
 */
export class Sender {
  readonly #options: SenderOptions;
  readonly #timers: Timers;
  readonly #trouble: Trouble;
  #running: Promise<void> | undefined;
  #abort = new AbortController();
  #stopped = true;
  #wanted = false;
  #timer: unknown;
  #nextAttempt = 0;
  #holdTimer: unknown;
  #held = false;
  /** Counts holds and releases: what waited for an older one decides nothing about it. */
  #holds = 0;
  /** Whether somebody is about to say which credential comes next. */
  #suspended = false;
  /** Most heartbeats in the next request. */
  #limit = FULL_COUNT;
  /** Whether keys are tried in a row: the refusal of the first is the one to be told of, the others nobody set. */
  #search = false;
  /** Failures since the last success or change of credential; what the pause grows with. */
  #failures = 0;
  /** Counts changes of credential: a refusal of an older one decides nothing about the new. */
  #generation = 0;
  #state: SenderStatus['state'] = 'starting';
  #last: SenderStatus['last_accepted'] = null;
  #answer: { fingerprint: string | null; slot: string | null; until: string | null } = { fingerprint: null, slot: null, until: null };
  #totals = { accepted: 0, duplicates: 0, failures: 0 };

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#timers = options.timers ?? { set: (work, ms) => setTimeout(work, ms), clear: (timer) => clearTimeout(timer as NodeJS.Timeout) };
    this.#trouble = new Trouble(options.log, options.destination.name, options.destination.endpoint);
  }

  start(): void {
    this.#stopped = false;
    this.wake();
  }

  /** Something was appended. Does nothing while a request is under way, a pause lasts, or sending is held. */
  wake(): void {
    if (this.#stopped || this.#held || this.#suspended || this.#timer !== undefined) return;
    if (this.#running) {
      this.#wanted = true;
      return;
    }
    if (this.#options.spool.depth(this.#options.destination.name) === 0) return;
    this.#wanted = false;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
      // Something came, or was released, between the last look and now.
      if (this.#wanted) this.wake();
    });
  }

  /** Another credential is in force: the next attempt is made at once. */
  credentialChanged(): void {
    this.#failures = 0;
    this.retry();
    this.#search = false;
  }

  /** As `credentialChanged`, for one of several in a row: that they are all refused makes the pause grow once. */
  retry(): void {
    this.#generation++;
    this.#failures = Math.max(0, this.#failures - 1);
    this.#suspended = false;
    this.#clearTimer();
    this.#search = true;
    this.wake();
  }

  /** Makes the next attempt at once where a pause lasts. */
  skipPause(): void {
    this.#clearTimer();
    this.wake();
  }

  /** Sends nothing until `credentialChanged`, `retry` or `resume`. */
  suspend(): void {
    this.#suspended = true;
  }

  /** Goes on as before: after the pause, if one lasts. */
  resume(): void {
    this.#suspended = false;
    this.wake();
  }

  /** Resolves once nothing is in flight; then nothing is sent until `release` or for `lapse` ms, by the last call. */
  async hold(lapse = HOLD_MAX_MS): Promise<void> {
    const mine = ++this.#holds;
    const { onLapse = () => this.release() } = this.#options;
    this.#held = true;
    this.#timers.clear(this.#holdTimer);
    await this.#running;
    // Counted from here, or a slow answer would use the hold up.
    if (mine === this.#holds) this.#holdTimer = this.#timers.set(onLapse, lapse);
  }

  release(): void {
    this.#holds++;
    this.#timers.clear(this.#holdTimer);
    this.#held = false;
    this.wake();
  }

  get held(): boolean {
    return this.#held;
  }

  /** Ends sending. A request in flight may finish within `deadline` ms, then it is cut; its batch stays in the outbox. */
  async stop(deadline: number): Promise<void> {
    this.#stopped = true;
    this.#holds++;
    this.#clearTimer();
    this.#timers.clear(this.#holdTimer);
    if (!this.#running) return;
    const timer = this.#timers.set(() => this.#abort.abort(), deadline);
    await this.#running;
    this.#timers.clear(timer);
  }

  status(): SenderStatus {
    const { destination, spool, host } = this.#options;
    const failure = this.#trouble.current;
    const wait = this.#timer === undefined ? 0 : Math.max(0, this.#nextAttempt - host.monotonic());
    return {
      name: destination.name,
      endpoint: destination.endpoint,
      state: this.#state,
      pending: spool.depth(destination.name),
      last_accepted: this.#last,
      fingerprint: this.#answer.fingerprint,
      slot: this.#answer.slot,
      previous_key_valid_until: this.#answer.until,
      problem: failure
        ? {
            since: new Date(failure.sinceWall).toISOString(),
            reason: failure.reason,
            detail: failure.detail,
            next_attempt_in: Math.ceil(wait / 1_000),
          }
        : null,
      ...this.#totals,
    };
  }

  async #drain(): Promise<void> {
    const { destination, spool } = this.#options;
    while (!this.#stopped && !this.#held && !this.#suspended && this.#timer === undefined) {
      const batch = spool.batch(destination.name, this.#trouble.current ? 1 : this.#limit, FULL_BYTES);
      if (batch.length === 0) return;
      const generation = this.#generation;
      const outcome = await this.#send(batch);
      if (this.#abort.signal.aborted && outcome.kind === 'unavailable') return;
      this.#settle(batch, outcome, generation);
      this.#options.onOutcome?.(batch, outcome);
    }
  }

  async #send(batch: Pending[]): Promise<Outcome> {
    try {
      return await this.#options.destination.send(batch, this.#abort.signal);
    } catch (error) {
      // Destinations promise not to throw; one that does must not end delivery.
      const name = error instanceof Error ? error.name : 'error';
      return { kind: 'unavailable', reason: 'unexpected', detail: `sending failed with an internal ${name}` };
    }
  }

  #settle(batch: Pending[], outcome: Outcome, generation: number): void {
    if (outcome.kind === 'accepted') this.#accepted(batch, outcome);
    else if (outcome.kind === 'too-large')
      this.#narrow(batch, Math.ceil(batch.length / 2), 'too-large', 'it is larger than the service takes');
    else if (outcome.kind === 'rejected') this.#narrow(batch, outcome.index ?? Math.ceil(batch.length / 2), 'rejected', outcome.detail);
    else {
      // On a slow link a full batch may never get through in time.
      if (batch.length > 1) this.#limit = Math.ceil(batch.length / 2);
      if (generation === this.#generation) this.#failed(outcome);
      else this.#totals.failures++;
    }
  }

  #accepted(batch: Pending[], outcome: Extract<Outcome, { kind: 'accepted' }>): void {
    const { destination, spool, host } = this.#options;
    spool.delivered(destination.name, batch);
    const last = batch.at(-1) as Pending;
    this.#recovered();
    // Grows slowly: where a limit was found, running into it at every other request would halve the pace.
    if (batch.length >= this.#limit) this.#limit = Math.min(FULL_COUNT, this.#limit + Math.max(1, this.#limit >> 3));
    this.#last = { time: new Date(host.now()).toISOString(), instance: last.instance, sequence: last.sequence };
    this.#answer = { fingerprint: outcome.fingerprint ?? null, slot: outcome.slot ?? null, until: outcome.previousKeyValidUntil ?? null };
    this.#totals.accepted += outcome.accepted;
    this.#totals.duplicates += outcome.duplicates;
  }

  /** The service is there and answers: only the batch was not to its liking. */
  #recovered(): void {
    const { host } = this.#options;
    this.#trouble.ended({ now: host.now(), monotonic: host.monotonic() });
    this.#failures = 0;
    this.#state = 'delivering';
  }

  /** Sends fewer next time, up to the heartbeat at fault; that one, once it is first or alone, is left out. */
  #narrow(batch: Pending[], limit: number, reason: string, detail: string): void {
    if (batch.length === 1 || limit === 0) this.#skip(batch[0] as Pending, reason, detail);
    else this.#limit = limit;
    this.#recovered();
  }

  #skip(heartbeat: Pending, reason: string, detail: string): void {
    const { destination, spool, log } = this.#options;
    spool.skip(destination.name, heartbeat, reason);
    const about = { destination: destination.name, instance: heartbeat.instance, sequence: heartbeat.sequence };
    log.error({ ...about, reason, detail }, 'the service does not take this heartbeat: it is left out');
  }

  #failed(outcome: Extract<Outcome, { kind: 'unauthorized' | 'forbidden' | 'unavailable' }>): void {
    const { host, spool, destination, random = Math.random } = this.#options;
    const { kind, detail } = outcome;
    const [state, cap] = kind === 'unavailable' ? (['retrying', CAP_MS] as const) : ([kind, REFUSED_CAP_MS] as const);
    const clocks = { now: host.now(), monotonic: host.monotonic() };
    this.#state = state;
    this.#totals.failures++;
    this.#failures++;
    this.#trouble.failed(kind === 'unavailable' ? outcome.reason : kind, detail, spool.depth(destination.name), clocks, this.#search);
    const wait = pause({ failures: this.#failures, cap, retryAfter: kind === 'unavailable' ? outcome.retryAfter : undefined, random });
    this.#nextAttempt = clocks.monotonic + wait;
    this.#timer = this.#timers.set(() => this.skipPause(), wait);
  }

  #clearTimer(): void {
    this.#timers.clear(this.#timer);
    this.#timer = undefined;
    this.#search = false;
  }
}
