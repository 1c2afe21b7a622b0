import { randomUUID } from 'node:crypto';
import type { Duty } from '../duties/duty.ts';
import type { Hub } from '../hub.ts';
import { OrganisationNames } from '../people/organisation-names.ts';
import { rfc3339, stateOf } from '../servers.ts';
import type { Notice, Standing, Told, ToldState } from '../store/stream.ts';

const EVERY_MS = 2_000;
/** A pause between two looks that is longer than this was no pause of ours: the hub was stopped, or its clock was set. */
const AWAY_MS = 30_000;
/** One server is told of no oftener than this, ms: what it does in between is told as it stands then. */
const QUIET_MS = 60_000;
/** Agents whose hub was away try again after five minutes at the latest (delivery/backoff.ts), and not all at once. */
const GRACE_MS = 330_000;

/**
 * Sees servers become late, silent and alive again, and keeps a notice of each change for the webhook. Nobody is told
 * late on the hub's own account: a time in which it did not listen does not count, nor do the minutes in which agents
 * find back.
 */
export class Watch implements Duty {
  readonly name = 'silence';
  readonly #hub: Hub;
  readonly #graceMs: number;
  readonly #organisations: OrganisationNames;
  /** Since when it has looked without a break, ms of the wall clock. */
  #since = 0;
  #looked = 0;

  constructor(hub: Hub, graceMs = GRACE_MS) {
    this.#hub = hub;
    this.#graceMs = graceMs;
    this.#organisations = new OrganisationNames(hub.store);
  }

  begin(): void {
    this.#looked = 0;
  }

  /** Compares how each server stands with what was told of it. */
  async step(): Promise<number> {
    const now = this.#hub.now();
    if (Math.abs(now - this.#looked) > AWAY_MS) this.#since = now;
    this.#looked = now;
    const told: Told[] = [];
    const notices: Notice[] = [];
    for (const standing of await this.#hub.store.standings(now)) {
      const state = this.#stateOf(standing, now);
      if (!state || state === standing.told?.state) continue;
      // Silent once, it is not late again for a restart of the hub.
      if (state === 'late' && standing.told?.state === 'silent') continue;
      if (standing.told && Math.abs(now - standing.told.at) < QUIET_MS) continue;
      const news = this.#isNews(standing, state);
      // What is only noted keeps nothing back.
      told.push({ serverId: standing.server.id, state, at: news ? now : 0 });
      if (news) notices.push(await this.#notice(standing, state, now));
    }
    if (told.length > 0) await this.#hub.store.tell(told, notices);
    return EVERY_MS;
  }

  /** Undefined where it cannot be told yet: the hub has not listened for long enough. */
  #stateOf(standing: Standing, now: number): ToldState | undefined {
    const { latest } = standing;
    const { silentAfter } = this.#hub;
    const state = stateOf(latest, now, silentAfter);
    if (state === 'alive' || this.#isOld(standing)) return state as ToldState;
    const listened = Math.max(latest.received, this.#since + this.#graceMs);
    const seen = stateOf({ ...latest, received: listened }, now, silentAfter);
    return seen === 'late' || seen === 'silent' ? seen : undefined;
  }

  /** What is first seen alive is no news, nor what was silent before anybody watched. */
  #isNews(standing: Standing, state: ToldState): boolean {
    return standing.told !== null || !(state === 'alive' || this.#isOld(standing));
  }

  #isOld({ told, latest }: Standing): boolean {
    return told === null && latest.received < this.#since;
  }

  async #notice({ server, latest }: Standing, state: ToldState, now: number): Promise<Notice> {
    const id = `msg_${randomUUID()}`;
    const body = {
      type: `server.${state}`,
      id,
      timestamp: rfc3339(now),
      server: server.name,
      organisation: await this.#organisations.of(server.org),
      state,
      since: rfc3339(state === 'alive' ? latest.aliveSince : latest.received),
      last_received: rfc3339(latest.received),
      interval: latest.interval,
      hub: this.#hub.publicOrigin,
      hub_id: this.#hub.serviceId,
    };
    return { id, body: JSON.stringify(body), createdAt: now, tries: 0, nextAt: now };
  }
}
