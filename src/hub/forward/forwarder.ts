import { CAP_MS, pause } from '../../delivery/backoff.ts';
import type { Verdict } from '../../delivery/heartbeats.ts';
import type { Duty } from '../duties/duty.ts';
import type { Figure } from '../duties/figures.ts';
import type { Hub } from '../hub.ts';
import type { Placed } from '../store/stream.ts';
import { type Converted, convert } from './convert.ts';
import { Origins } from './origins.ts';
import type { Receiver } from './receiver.ts';

const CURSOR = 'forward';
/** Heartbeats of one request at most; bytes of their frames. */
const MOST = 32;
const MOST_BYTES = 262_144;
/** How long there is nothing to send, ms. */
const IDLE_MS = 500;
/** How often what was lost is asked for, ms. */
const LOOK_MS = 15_000;
/** So many heartbeats refused one by one, with none taken between: then it is the receiver, not they. */
const SUSPECTS_MOST = 10;
/** So many are skipped at the first refusal once it is known that the receiver takes others. */
const SKIPPED_AT_ONCE = 100;

/**
 * Hands every accepted heartbeat on, in the order in which they were taken. The window of the store is its outbox, the
 * cursor its memory: that moves after the receiver took what is before it, so each heartbeat arrives once or, after a
 * crash between the two, twice; receivers keep one sample of a series and instant.
 */
export class Forwarder implements Duty {
  readonly name = CURSOR;
  readonly #hub: Hub;
  readonly #receiver: Pick<Receiver, 'send' | 'close'>;
  readonly #from: 'now' | 'start';
  readonly #origins: Origins;
  /** Up to where it was read; the cursor stands further back while some are suspected. */
  #place: number | undefined;
  /** Refused each by itself, since the receiver last took one. */
  #suspects: number[] = [];
  /** The receiver took one after all: those up to `last` are tried once more, then it goes on behind what it took. */
  #retry: { last: number; behind: number } | undefined;
  #size = MOST;
  #trust = 0;
  #failures = 0;
  #notBefore = 0;
  #lookAt = 0;
  #pending: number | undefined;
  #counts = { forwarded: 0, skipped: 0, lost: 0 };

  constructor(hub: Hub, receiver: Pick<Receiver, 'send' | 'close'>, from: 'now' | 'start') {
    this.#hub = hub;
    this.#receiver = receiver;
    this.#from = from;
    this.#origins = new Origins(hub);
  }

  begin(): void {
    this.#place = undefined;
    this.#suspects = [];
    this.#retry = undefined;
  }

  /** Sends one request, unless it is too early for it. */
  async step(signal: AbortSignal): Promise<number> {
    const wait = this.#notBefore - this.#hub.monotonic();
    if (wait > 0) return wait;
    const place = await this.#look();
    const rows = await this.#hub.store.after(place, this.#retry ? 1 : this.#size, MOST_BYTES);
    if (this.#retry && !(rows[0] && rows[0].place <= this.#retry.last)) {
      await this.#move(this.#retry.behind);
      this.#retry = undefined;
      return 0;
    }
    this.#pending = rows[0]?.received;
    if (rows.length === 0) return IDLE_MS;
    const converted = convert(rows, await this.#origins.of(rows));
    const verdict = await this.#send(converted, signal);
    // Cut off by our own end, which says nothing of the receiver.
    if (signal.aborted && verdict.kind !== 'accepted') return 0;
    const next = await this.#judge(verdict, rows.slice(0, converted.rows), converted);
    return this.#suspects.length < SUSPECTS_MOST ? next : this.#doubt(verdict, signal);
  }

  close(): void {
    this.#receiver.close();
  }

  figures(): Figure[] {
    const { forwarded, skipped, lost } = this.#counts;
    const delay = this.#pending === undefined ? 0 : Math.max(0, this.#hub.now() - this.#pending) / 1_000;
    return [
      { name: 'scout_hub_forwarded_total', type: 'counter', help: 'Heartbeats that the receiver took.', value: forwarded },
      { name: 'scout_hub_forward_skipped_total', type: 'counter', help: 'Heartbeats left out: the receiver refuses them.', value: skipped },
      { name: 'scout_hub_forward_lost', type: 'gauge', help: 'Heartbeats that left the window unforwarded, since ever.', value: lost },
      { name: 'scout_hub_forward_failures', type: 'gauge', help: 'Requests to the receiver that failed, in a row.', value: this.#failures },
      { name: 'scout_hub_forward_delay_seconds', type: 'gauge', help: 'Age of the oldest heartbeat not forwarded.', value: delay },
    ];
  }

  /** Where to go on; what was lost is asked for now and then, and told once. */
  async #look(): Promise<number> {
    if (this.#place !== undefined && this.#hub.monotonic() < this.#lookAt) return this.#place;
    const { place, lost } = await this.#hub.store.openCursor(CURSOR, this.#from);
    this.#lookAt = this.#hub.monotonic() + LOOK_MS;
    if (lost > this.#counts.lost)
      this.#hub.log?.error({ lost: lost - this.#counts.lost, all: lost }, 'heartbeats left the window before they were forwarded');
    this.#counts.lost = lost;
    this.#place ??= place;
    return this.#place;
  }

  async #send({ body, rows, unreadable }: Converted, signal: AbortSignal): Promise<Verdict> {
    const count = rows - unreadable.length;
    return count === 0 ? { kind: 'rejected', detail: 'it cannot be read' } : this.#receiver.send(body, count, signal);
  }

  async #judge(verdict: Verdict, batch: Placed[], { unreadable }: Converted): Promise<number> {
    const last = batch.at(-1)!.place;
    if (verdict.kind === 'accepted') {
      this.#counts.forwarded += batch.length - unreadable.length;
      this.#size = Math.min(MOST, this.#size * 2);
      const [first] = this.#suspects;
      if (first === undefined) await this.#move(last, unreadable.length);
      else this.#again(first, last, unreadable.length);
      return 0;
    }
    if (verdict.kind !== 'rejected' && verdict.kind !== 'too-large') return this.#later(verdict);
    if (batch.length > 1) {
      this.#size = Math.ceil(batch.length / 2);
      return 0;
    }
    // What cannot be read proves nothing of the receiver.
    const known = this.#suspects.length === 0 && (unreadable.length > 0 || this.#trust > 0);
    if (this.#retry || known) {
      if (!this.#retry && unreadable.length === 0) this.#trust--;
      await this.#move(last, 1);
      return 0;
    }
    this.#suspects.push(last);
    this.#place = last;
    return 0;
  }

  /**
   * So many were refused that it may be the receiver. The newest one tells: an engine that takes nothing older than an
   * hour refuses all of an outage, and takes that one; one that refuses it too is let alone, and nothing is skipped.
   */
  async #doubt(verdict: Verdict, signal: AbortSignal): Promise<number> {
    const [first, last] = [this.#suspects[0]!, this.#suspects.at(-1)!];
    const newest = await this.#newest(last);
    const probed = newest && (await this.#send(convert([newest], await this.#origins.of([newest])), signal));
    if (signal.aborted) return 0;
    if (probed?.kind === 'accepted') {
      this.#trust = SKIPPED_AT_ONCE;
      this.#again(first, last, 0);
      return 0;
    }
    this.begin();
    this.#size = 1;
    const detail = verdict.kind === 'rejected' ? verdict.detail : 'status 413';
    return this.#later({ kind: 'unavailable', reason: 'unexpected', detail: `it refuses whatever it is sent (${detail})` });
  }

  /** The last heartbeat behind a place, undefined where there is none: by strides that double, and then halve. */
  async #newest(place: number): Promise<Placed | undefined> {
    const next = async (from: number) => (await this.#hub.store.after(from, 1, MOST_BYTES))[0];
    let found: Placed | undefined;
    let end = place;
    for (let stride = 1; ; stride *= 2) {
      const one = await next(end);
      if (!one) break;
      found = one;
      end = one.place + stride;
    }
    while (found && end > found.place) {
      const middle = Math.floor((found.place + end) / 2);
      const one = await next(middle);
      if (one) found = one;
      else end = middle;
    }
    return found;
  }

  /** It may have refused them for reasons of its own that are gone now. */
  #again(first: number, behind: number, unreadable: number): void {
    this.#retry = { last: this.#suspects.at(-1)!, behind };
    this.#suspects = [];
    this.#place = first - 1;
    this.#skipped(unreadable);
  }

  async #move(place: number, skipped = 0): Promise<void> {
    await this.#hub.store.moveCursor(CURSOR, place);
    this.#place = place;
    this.#skipped(skipped);
    if (this.#failures > 0) this.#hub.log?.info({ failures: this.#failures }, 'forwarding goes on');
    this.#failures = 0;
  }

  #skipped(count: number): void {
    this.#counts.skipped += count;
    if (count > 0)
      this.#hub.log?.error({ skipped: count }, 'heartbeats were not forwarded: the receiver refuses them, or they are damaged');
  }

  #later(verdict: Exclude<Verdict, { kind: 'accepted' | 'rejected' | 'too-large' }>): number {
    this.#failures++;
    const retryAfter = verdict.kind === 'unavailable' ? verdict.retryAfter : undefined;
    const wait = pause({ failures: this.#failures, cap: CAP_MS, retryAfter, random: Math.random });
    this.#notBefore = this.#hub.monotonic() + wait;
    const failures = this.#failures;
    this.#hub.log?.warn({ detail: verdict.detail, failures, again_in_ms: wait }, 'forwarding failed and is tried again');
    return wait;
  }
}
