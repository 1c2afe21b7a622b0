import type { Duty } from '../duties/duty.ts';
import type { Figure } from '../duties/figures.ts';
import type { Hub } from '../hub.ts';
import { ROLLUP_MS, type Unrolled } from '../store/stream.ts';
import { open, rollUp } from './rollup.ts';

/** How long after its first heartbeat a stretch is rolled up, ms: its length, and two minutes for what comes late. */
const RIPE_MS = ROLLUP_MS + 120_000;
/** Stretches taken at once, and how long there is nothing to take, ms. */
const MOST = 50;
const PAUSE_MS = 15_000;

/** Rolls up stretches of time as they end, also those that an agent sends after an outage. */
export class Roller implements Duty {
  readonly name = 'rollups';
  readonly #hub: Hub;
  readonly #ripeMs: number;
  #made = 0;

  constructor(hub: Hub, ripeMs = RIPE_MS) {
    this.#hub = hub;
    this.#ripeMs = ripeMs;
  }

  /** Rolls up a few of those that are due; resolves to how long to wait for the next, ms. */
  async step(): Promise<number> {
    const { store } = this.#hub;
    const due = await store.unrolled(this.#hub.now() - this.#ripeMs, MOST);
    const done: Parameters<typeof store.putRollups>[0] = [];
    for (const one of due) {
      done.push({ ...one, frame: await this.#make(one) });
      // A stretch takes some milliseconds: heartbeats that came in meanwhile go first.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (done.length > 0) await store.putRollups(done);
    return due.length < MOST ? PAUSE_MS : 0;
  }

  figures(): Figure[] {
    return [{ name: 'scout_hub_rollups_total', type: 'counter', help: 'Roll-ups made.', value: this.#made }];
  }

  async #make({ serverId, time }: Unrolled): Promise<Uint8Array | null> {
    const { store } = this.#hub;
    const frame = rollUp(await store.recent(serverId, time, time + ROLLUP_MS));
    if (!frame) return null;
    // What came in after its stretch had left the window is a part of it only: the roll-up of the whole stays.
    const [kept] = await store.rollups(serverId, time, time + 1);
    if (kept && endOf(kept.frame) > endOf(frame)) return null;
    this.#made++;
    return frame;
  }
}

const endOf = (frame: Uint8Array): number => open(frame)?.time ?? 0;
