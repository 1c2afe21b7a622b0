import { Refusal, refusalOf } from '../http/problems.ts';
import type { Hub } from '../hub.ts';

/** SQLITE_FULL, the low byte of a code, and SQLITE_IOERR_SHMSIZE: no room for the journal's index (sqlite.org/rescode.html). */
const FULL = 13;
const NO_ROOM_FOR_INDEX = 4_874;
const RETRY_AFTER_S = 10;
/** A failure that lasts is told of once in this time, in ms: the log may be on the very disk that is full. */
const LOG_EVERY_MS = 60_000;

/**
 * What agents are answered when the store fails, and what the log says of it. All of it is 5xx, which decides nothing:
 * their heartbeats wait with them.
 */
export class Failures {
  readonly #hub: Pick<Hub, 'log' | 'monotonic'>;
  /** Of each code: when it was last logged, and how often it has been kept back since. */
  readonly #told = new Map<string, { at: number; since: number }>();

  constructor(hub: Pick<Hub, 'log' | 'monotonic'>) {
    this.#hub = hub;
  }

  /** The refusal for whatever was thrown; what is the hub's own fault is logged. */
  judge(error: unknown): Refusal {
    const refusal = isFull(error)
      ? new Refusal('storage_full', 'The disk of the hub is full.', { headers: { 'retry-after': String(RETRY_AFTER_S) } })
      : refusalOf(error);
    // That a database is away its store tells by itself.
    if (refusal.code === 'storage_full' || refusal.code === 'internal') this.#log(refusal.code, error);
    return refusal;
  }

  /** One line a code and minute. */
  #log(code: string, error: unknown): void {
    const now = this.#hub.monotonic();
    const told = this.#told.get(code);
    if (told && now - told.at < LOG_EVERY_MS) {
      told.since++;
      return;
    }
    this.#told.set(code, { at: now, since: 0 });
    this.#hub.log?.error({ err: error, ...(told && told.since > 0 && { suppressed: told.since }) }, 'heartbeats could not be stored');
  }
}

function isFull(error: unknown): boolean {
  const { code, errcode = 0 } = error as { code?: string; errcode?: number };
  return code === 'ENOSPC' || (code === 'ERR_SQLITE_ERROR' && ((errcode & 0xff) === FULL || errcode === NO_ROOM_FOR_INDEX));
}
