import type { Log } from '../support/log.ts';
import type { Figure } from './duties/figures.ts';
import type { SilentAfter } from './silence.ts';
import type { Store } from './store/store.ts';

/** What every part of the hub is handed: made once by the server, or by a test. */
export interface Hub {
  store: Store;
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Monotonic clock in milliseconds, for measuring and throttling. */
  monotonic(): number;
  /** Identity of this installation, as whoami tells it. */
  serviceId: string;
  /** Where people reach it: `https://localhost:8443`, no slash at the end. */
  publicOrigin: string;
  /** The certificate (PEM) of the hub's own authority, where it serves by one. */
  authority?: () => string | undefined;
  log?: Log;
  /** Aborted when the hub stops: answers that go on and on end then. */
  stopping?: AbortSignal;
  /** When a server counts as silent; after ten of its intervals unless it says otherwise. */
  silentAfter?: SilentAfter;
  /** How often the fleet is looked at for pages that are open, ms; every 2 s unless it says otherwise. */
  lookEveryMs?: number;
  /** Figures of what runs beside the server, for /metrics. */
  figures?: () => Figure[];
}
