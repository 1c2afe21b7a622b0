import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Heartbeats that will never arrive, by reason; times are when they were sampled, ms since the epoch. */
export interface Loss {
  reason: string;
  count: number;
  from: number;
  to: number;
}

/** As in `status --json`; times are RFC 3339. */
export interface LossStatus {
  reason: string;
  count: number;
  from: string;
  to: string;
}

/** Losses of several stores, added up by reason. */
export function lossStatus(losses: Loss[]): LossStatus[] {
  const sums = new Map<string, Loss>();
  for (const loss of losses) {
    const sum = sums.get(loss.reason);
    if (!sum) sums.set(loss.reason, { ...loss });
    else Object.assign(sum, { count: sum.count + loss.count, from: Math.min(sum.from, loss.from), to: Math.max(sum.to, loss.to) });
  }
  const time = (ms: number) => new Date(ms).toISOString();
  return [...sums.values()].map(({ reason, count, from, to }) => ({ reason, count, from: time(from), to: time(to) }));
}

/** The losses of a store, kept in the store itself. Methods run inside the caller's transaction. */
export class Losses {
  readonly #add: StatementSync;
  readonly #span: StatementSync;
  readonly #all: StatementSync;
  readonly #arrived: StatementSync;
  readonly #none: StatementSync;
  /** As last read; undefined when that may have changed. */
  #known: Loss[] | undefined;

  constructor(db: DatabaseSync) {
    this.#add = db.prepare(`INSERT INTO losses (reason, count, from_time, to_time) VALUES (?, ?, ?, ?)
      ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count,
        from_time = min(from_time, excluded.from_time), to_time = max(to_time, excluded.to_time)`);
    this.#span = db.prepare('SELECT count(*) AS count, min(time) AS "from", max(time) AS "to" FROM heartbeats WHERE position <= ?');
    this.#all = db.prepare('SELECT reason, count, from_time AS "from", to_time AS "to" FROM losses ORDER BY reason');
    this.#arrived = db.prepare('UPDATE losses SET count = count - ? WHERE reason = ?');
    this.#none = db.prepare('DELETE FROM losses WHERE count <= 0');
  }

  add({ reason, count, from, to }: Loss): void {
    this.changed();
    this.#add.run(reason, count, from, to);
  }

  /** Counts every heartbeat held up to and with `position`; returns how many. */
  count(reason: string, position: number): number {
    const span = this.#span.get(position) as unknown as Omit<Loss, 'reason'>;
    if (span.count > 0) this.add({ ...span, reason });
    return span.count;
  }

  /** Takes back `count` heartbeats that were given up for lost and arrived. */
  arrived(reason: string, count: number): void {
    this.changed();
    this.#arrived.run(count, reason);
    this.#none.run();
  }

  all(): Loss[] {
    this.#known ??= this.#all.all() as unknown as Loss[];
    return this.#known;
  }

  /** What was added is taken back with the caller's transaction. */
  changed(): void {
    this.#known = undefined;
  }
}
