import { CAP_MS, pause } from '../../delivery/backoff.ts';
import type { Verdict } from '../../delivery/heartbeats.ts';
import type { Inventory } from '../../protocol/heartbeat.ts';
import type { Duty } from '../duty.ts';
import type { Figure } from '../figures.ts';
import type { Hub } from '../hub.ts';
import { OrganisationNames } from '../organisation-names.ts';
import type { Placed } from '../store-stream.ts';
import { type Converted, convert, type Origin } from './convert.ts';
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
/** Servers whose facts are remembered, and for how long, ms. */
const FACTS_MOST = 10_000;
const FACTS_MS = 600_000;

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
  readonly #organisations: OrganisationNames;
  readonly #facts = new Map<string, { facts: Inventory; until: number }>();
  /** Up to where it was read; the cursor stands further back while some are suspected. */
  #place: number | undefined;
  /** Refused each by itself, since the receiver last took one. */
  #suspects: number[] = [];
  /** The receiver took one after all: those up to `last` are tried once more, then it goes on behind what it took. */
  #retry: { last: number; behind: number } | undefined;
  #size = MOST;
  #failures = 0;
  #notBefore = 0;
  #lookAt = 0;
  #pending: number | undefined;
  #counts = { forwarded: 0, skipped: 0, lost: 0 };

  constructor(hub: Hub, receiver: Pick<Receiver, 'send' | 'close'>, from: 'now' | 'start') {
    this.#hub = hub;
    this.#receiver = receiver;
    this.#from = from;
    this.#organisations = new OrganisationNames(hub.store);
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
    const converted = convert(rows, await this.#origins(rows));
    const batch = rows.slice(0, converted.rows);
    const sent = batch.length - converted.unreadable.length;
    const verdict: Verdict =
      sent === 0 ? { kind: 'rejected', detail: 'it cannot be read' } : await this.#receiver.send(converted.body, sent, signal);
    // Cut off by our own end, which says nothing of the receiver.
    if (signal.aborted && verdict.kind !== 'accepted') return 0;
    return this.#judge(verdict, batch, converted);
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
    if (this.#retry || (unreadable.length > 0 && this.#suspects.length === 0)) {
      await this.#move(last, 1);
      return 0;
    }
    this.#suspects.push(last);
    this.#place = last;
    if (this.#suspects.length < SUSPECTS_MOST) return 0;
    this.begin();
    this.#size = 1;
    const detail = verdict.kind === 'rejected' ? verdict.detail : 'status 413';
    return this.#later({ kind: 'unavailable', reason: 'unexpected', detail: `it refuses whatever it is sent (${detail})` });
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

  async #origins(rows: Placed[]): Promise<(row: Placed) => Origin> {
    const found = new Map<string, Origin>();
    for (const { server } of rows) {
      if (found.has(server.id)) continue;
      found.set(server.id, { organisation: await this.#organisations.of(server.org), facts: await this.#factsOf(server.id) });
    }
    return (row) => found.get(row.server.id)!;
  }

  async #factsOf(server: string): Promise<Inventory> {
    const now = this.#hub.monotonic();
    const known = this.#facts.get(server);
    if (known && known.until > now) return known.facts;
    const facts = parsed(await this.#hub.store.inventory(server));
    if (this.#facts.size >= FACTS_MOST) this.#facts.clear();
    this.#facts.set(server, { facts, until: now + FACTS_MS });
    return facts;
  }
}

/** The two facts that are attributes of a resource; the rest of an inventory is long. */
function parsed(text: string | null): Inventory {
  try {
    const all = JSON.parse(text ?? '{}') as Inventory;
    return Object.fromEntries(['host.id', 'os.type'].flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
  } catch {
    return {};
  }
}
