import { readFileSync } from 'node:fs';
import type { Log } from '../support/log.ts';
import { verifyTrails } from './audit/verify.ts';
import { Duties, type DutyOptions } from './duties/duties.ts';
import { type Front, HubServer, type Limits } from './http/server.ts';
import type { Hub } from './hub.ts';
import { SILENT_AFTER, type SilentAfter, silentAfterText } from './silence.ts';
import { isAway } from './store/away.ts';
import { openStore, type Place } from './store/open.ts';
import { checkDatabase } from './store/sqlite/integrity.ts';
import { caFile } from './tls/own.ts';
import { loadPair, type TlsChoice } from './tls/tls.ts';

const PRUNE_EVERY_MS = 15_000;
const RENEW_EVERY_MS = 3_600_000;
/** How long roll-ups are kept unless told, ms; and the share of the store that they may take. */
const HISTORY_MS = 30 * 86_400_000;
const HISTORY_SHARE = 1 / 3;

export interface ServeOptions extends Place {
  host: string;
  port: number;
  tls: TlsChoice;
  /** How long heartbeats are kept, ms. */
  retentionMs: number;
  /** How many bytes the store may take; the oldest heartbeats make room. */
  mostBytes: number;
  /** When a server counts as silent; after ten intervals unless given. */
  silentAfter?: SilentAfter;
  /** What is done beside serving; nothing but roll-ups unless given. */
  duties?: Partial<DutyOptions>;
  limits?: Partial<Limits>;
  /** What stands before the hub, and where people reach it through that: an origin of HTTPS. */
  front?: Front & { publicOrigin?: string | undefined };
  log?: Log;
}

/** A hub that runs. */
export interface Serving {
  /** `https://host:port`, as it was bound. */
  origin: string;
  port: number;
  hub: Hub;
  /** The authority to trust, when the certificate is our own. */
  ca: string | undefined;
  /** Reads the certificate again; the old one stays when the new one cannot be used. */
  renew(): void;
  stop(): Promise<void>;
}

/**
 * Starts a hub: store, certificate, server, and the timers that prune and renew. Throws HUB_DATA,
 * HUB_DATA_DAMAGED, HUB_TLS_FILE, HUB_LISTEN, HUB_SECRET_FILE, TLS_FILE, HUB_DATABASE,
 * HUB_DATABASE_ADDRESS.
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  if (options.database === undefined) checkDatabase(options.data);
  const store = await openStore(options, options.log);
  try {
    const stopping = new AbortController();
    const silentAfter = options.silentAfter ?? SILENT_AFTER;
    const hub: Hub = {
      store,
      silentAfter,
      now: () => Date.now(),
      monotonic: () => performance.now(),
      serviceId: await store.serviceId(),
      publicOrigin: originOf(options.host, options.port),
      ...(options.tls.kind === 'self-signed' && { authority: () => readFileSync(caFile(options.data), 'utf8') }),
      ...(options.log ? { log: options.log } : {}),
      stopping: stopping.signal,
    };
    const duties = Duties.of(hub, { historyMs: HISTORY_MS, ...options.duties });
    hub.figures = () => duties.figures();
    const pair = () => loadPair(options.tls, options.data, options.host, hub.now());
    const server = new HubServer(hub, pair(), options.limits, options.front);
    const { port } = await server.start(options.host, options.port);
    // Kept, for the commands beside it.
    await store.keepSilentAfter(silentAfterText(silentAfter));
    const origin = originOf(options.host, port);
    hub.publicOrigin = options.front?.publicOrigin ?? origin;
    duties.start();
    const verifying = attempt(hub, 'the audit trail could not be read', () => verifyTrails(hub, stopping.signal));
    const clock = sober(hub);
    const renew = () => attempt(hub, 'the certificate could not be renewed', () => server.renew(pair()));
    const timers = [setInterval(() => void prune(hub, clock(), options), PRUNE_EVERY_MS), setInterval(() => void renew(), RENEW_EVERY_MS)];
    return {
      origin,
      port,
      hub,
      ca: options.tls.kind === 'self-signed' ? caFile(options.data) : undefined,
      renew: () => void renew(),
      async stop() {
        for (const timer of timers) clearInterval(timer);
        stopping.abort();
        await Promise.all([server.stop(), duties.stop(), verifying]);
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function originOf(host: string, port: number): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The wall clock, but no further ahead than the time that has passed: one that is set to next week must not cost this week. */
function sober({ now, monotonic }: Pick<Hub, 'now' | 'monotonic'>): () => number {
  const [wall, start] = [now(), monotonic()];
  return () => Math.min(now(), wall + monotonic() - start);
}

const prune = (hub: Hub, now: number, { retentionMs, mostBytes, duties }: ServeOptions) =>
  attempt(hub, 'old heartbeats could not be dropped', async () => {
    await hub.store.pruneRollups(now - (duties?.historyMs ?? HISTORY_MS), mostBytes * HISTORY_SHARE);
    const { excess } = await hub.store.prune(now - retentionMs, mostBytes);
    if (excess > 0)
      hub.log?.warn({ dropped: excess }, 'heartbeats were dropped before their time: --max-size is reached, or the disk is nearly full');
  });

/** What a timer does must not end the hub: it is told, and tried again next time. */
async function attempt(hub: Hub, failure: string, work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isAway(error)) hub.log?.error({ err: error }, failure);
  }
}
