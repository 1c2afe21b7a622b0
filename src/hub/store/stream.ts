import type { Server } from './store.ts';

/* The part of the store that what runs beside the server works on: forwarding, silence, roll-ups. */

/** An accepted heartbeat in the order in which the store took it. */
export interface Placed {
  /** Grows with each heartbeat; what is read up to a place is never followed by a lower one, and none is given twice. */
  place: number;
  server: Pick<Server, 'id' | 'org' | 'name'>;
  /** When it was sampled, ms. */
  time: number;
  received: number;
  frame: Uint8Array;
}

/** Where a reader of heartbeats stands. */
export interface Cursor {
  /** Place of the last heartbeat that it is done with. */
  place: number;
  /** How many left the window before it came to them; those of servers that were removed do not count. */
  lost: number;
}

/** How long a stretch of time is that one roll-up stands for, ms. Stretches begin at whole multiples of it. */
export const ROLLUP_MS = 600_000;

/** A stretch of a server whose heartbeats have changed since it was last rolled up. */
export interface Unrolled {
  serverId: string;
  /** Begin of the stretch, ms. */
  time: number;
}

/** A heartbeat that stands for all of a stretch of time: counters as they were last, gauges at their mean. */
export interface Rollup {
  /** Begin of the stretch, ms. */
  time: number;
  /** As a heartbeat's; its own time is that of the last heartbeat of the stretch. */
  frame: Uint8Array;
}

/** A state of a server that people are told of. */
export type ToldState = 'alive' | 'late' | 'silent';

/** What a server's state is reckoned from, and what was told of it. */
export interface Standing {
  server: Pick<Server, 'id' | 'org' | 'name'>;
  /** When its latest heartbeat was received, ms, its interval in seconds, and since when they have come in without a break. */
  latest: { received: number; interval: number; aliveSince: number };
  /** Null before anything was noted. */
  told: { state: ToldState; at: number } | null;
}

/** That a state was noted, so that it is not told again. */
export interface Told {
  serverId: string;
  state: ToldState;
  at: number;
}

/** Something that a webhook is to be told, kept until it has been. */
export interface Notice {
  id: string;
  /** JSON, as it is sent. */
  body: string;
  createdAt: number;
  /** How often it was tried in vain. */
  tries: number;
  /** Not before this time, ms. */
  nextAt: number;
}

export interface StreamStore {
  /**
   * Heartbeats after a place in their order: at most `most` of them, and after the first no more than fit into `bytes`
   * of frames. Those of removed servers are passed over.
   */
  after(place: number, most: number, bytes: number): Promise<Placed[]>;
  /** Where a reader stands. One that is new begins behind all that was ever taken (`now`), or with the oldest kept (`start`). */
  openCursor(name: string, from: 'now' | 'start'): Promise<Cursor>;
  /** Moves a reader forward, never back. */
  moveCursor(name: string, place: number): Promise<void>;
  /**
   * Makes one of several processes the one that does a duty: true when `holder` has it from `now` for `ms`, anew or
   * still; false while another has. With 0 ms it is given up. One that ends later than in six times `ms` was made by a
   * clock that was wrong, and does not count.
   */
  lease(name: string, holder: string, now: number, ms: number): Promise<boolean>;

  /**
   * Takes stretches to be rolled up, the ones longest waiting first: those of which something was first received before
   * a time. They are handed out again until they are put back by `putRollups`.
   */
  unrolled(before: number, most: number): Promise<Unrolled[]>;
  /**
   * Stores roll-ups in place of older ones of their stretches, which then need no more work, unless heartbeats of them
   * came in after they were taken. `null`: nothing is left to roll up. Those of removed servers are forgotten.
   */
  putRollups(done: (Unrolled & { frame: Uint8Array | null })[]): Promise<void>;
  /** Roll-ups of stretches that begin in [from, to), oldest first. */
  rollups(serverId: string, from: number, to: number): Promise<Rollup[]>;
  /**
   * Drops roll-ups of stretches before a time, then the oldest while their frames take more than `mostBytes`, and forgets
   * stretches that have waited since before that time; how many roll-ups were dropped.
   */
  pruneRollups(before: number, mostBytes: number): Promise<number>;

  /** When a server counts as silent, as the hub that was started last was told; undefined before the first. */
  silentAfter(): Promise<string | undefined>;
  keepSilentAfter(text: string): Promise<void>;
  /** Every server that has reported, but for those that were told to be alive and were heard within their interval. */
  standings(now: number): Promise<Standing[]>;
  /** Notes what is told and keeps the notices that tell it, in one transaction. Those of servers removed meanwhile are not noted. */
  tell(told: Told[], notices: Notice[]): Promise<void>;
  /** Notices whose time has come, those first whose came first: one that was put off keeps none back. */
  dueNotices(now: number, most: number): Promise<Notice[]>;
  /** Puts a notice off. */
  delayNotice(id: string, tries: number, nextAt: number): Promise<void>;
  /** Forgets a notice: it was delivered, or given up. */
  dropNotice(id: string): Promise<void>;
  /** How many notices wait. */
  countNotices(): Promise<number>;
}
