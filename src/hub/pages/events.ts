import { getCookie } from 'hono/cookie';
import { listCredentials } from '../credentials/credentials.ts';
import { Refusal } from '../http/problems.ts';
import { COOKIE } from '../people/session.ts';
import type { Registry } from '../servers.ts';
import type { FleetRow } from '../store/store.ts';
import { usersOf } from './credentials-page.ts';
import { parseFleetQuery, viewFleet } from './fleet.ts';
import { fleetPieces } from './fleet-page.ts';
import { FleetWatch } from './fleet-watch.ts';
import { RANGES, rangeOf } from './ranges.ts';
import { markOf } from './server-mark.ts';
import type { PageContext, Site } from './site.ts';

/** Streams that one session may have open; a browser has six connections to a hub, and pages need some of them. */
const STREAMS_MOST = 4;
/** A comment goes out after this long without anything else, so that proxies do not think the stream dead; ms. */
const QUIET_MS = 15_000;
const HOUR_MS = 3_600_000;
/** Points of a chart: a page whose range is long need not be fetched for each heartbeat. */
const CHART_POINTS = 500;

/** One thing that a page is told. `patch`: pieces by id; `fresh`: fetch anew; `ended`: the session is over. */
interface Told {
  event: 'patch' | 'fresh' | 'ended';
  data: string;
}

/** Finds out what to tell a page, given the fleet as it is now; undefined: nothing has changed. */
type Compare = (rows: FleetRow[]) => Promise<Told | undefined> | Told | undefined;

/** Mounts the stream of live updates (server-sent events) that the fleet's page and a server's page listen to. */
export function mountEvents(site: Site): void {
  const watch = new FleetWatch(site.hub);
  const open = new Map<string, number>();

  site.on('GET /events', (c, hub) => {
    const { csrf: session, org } = c.get('person');
    const count = open.get(session) ?? 0;
    if (count >= STREAMS_MOST)
      throw new Refusal('too_many', `A session has ${STREAMS_MOST} live pages at most.`, { headers: { 'retry-after': '30' } });
    const compare = (CHANGES[c.req.query('view') ?? ''] ?? fleetChanges)(c, hub);
    open.set(session, count + 1);
    const stream = new EventStream(compare, async () => {
      const person = await site.sessions.find(getCookie(c, COOKIE), false);
      return person?.org === org;
    });
    const unwatch = watch.watch(org, (rows) => void stream.look(rows));
    const stop = () => stream.close();
    site.hub.stopping?.addEventListener('abort', stop, { once: true });
    stream.closed = () => {
      unwatch();
      site.hub.stopping?.removeEventListener('abort', stop);
      const left = (open.get(session) ?? 1) - 1;
      if (left > 0) open.set(session, left);
      else open.delete(session);
    };
    return new Response(stream.body(), {
      // The last one: nginx holds back what it proxies otherwise.
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
    });
  });
}

/** Pieces of the fleet page that differ from what was sent; words that only tell how time goes by do not count. */
function fleetChanges(c: PageContext, hub: Registry): Compare {
  const query = parseFleetQuery(new URL(c.req.url).searchParams);
  let sent: Map<string, string> | undefined;
  return (rows) => {
    const now = hub.now();
    const pieces = fleetPieces(viewFleet(rows, query, now, hub.silentAfter), now);
    const before = sent;
    sent = new Map([...pieces].map(([id, text]) => [id, timeless(text)]));
    if (before && [...before.keys()].join() !== [...pieces.keys()].join()) return { event: 'fresh', data: '' };
    const changed = [...pieces].filter(([id]) => before?.get(id) !== sent?.get(id));
    return changed.length > 0 ? { event: 'patch', data: JSON.stringify(Object.fromEntries(changed)) } : undefined;
  };
}

const timeless = (text: string): string => text.replace(/>[^<]*<\/time>/g, '></time>');

/** Whether a server's page is worth fetching: at once for its keys and its state, for heartbeats when a chart has a new point. */
function serverChanges(c: PageContext, hub: Registry): Compare {
  const name = c.req.query('name') ?? '';
  const stepMs = (RANGES[rangeOf(c.req.query('range'))] * HOUR_MS) / CHART_POINTS;
  let [mark, received] = [c.req.query('mark') ?? '', 0];
  return async (rows) => {
    const row = rows.find(({ server }) => server.name === name);
    const now = markOf(hub, row, row ? await hub.store.keys(row.server.id) : []);
    const latest = row?.latest?.received ?? 0;
    if (received === 0) received = latest;
    if (now === mark && latest - received < Math.max(1, stepMs)) return undefined;
    [mark, received] = [now, latest];
    return { event: 'fresh', data: '' };
  };
}

/** Whether a credential was used by other servers than before, or changed. */
function credentialChanges(_c: PageContext, hub: Registry): Compare {
  let before: string | undefined;
  return async (rows) => {
    const all = await listCredentials(hub);
    const users = usersOf(rows);
    const now = JSON.stringify(all.map((one) => [one, users.get(one.fingerprint)?.length]));
    const told: Told | undefined = before === now ? undefined : { event: 'fresh', data: '' };
    before = now;
    return told;
  };
}

/** What each kind of page is told; the fleet's otherwise. */
const CHANGES: Record<string, (c: PageContext, hub: Registry) => Compare> = { server: serverChanges, credentials: credentialChanges };

/** A stream of events to one page. */
class EventStream {
  readonly #compare: Compare;
  readonly #alive: () => Promise<boolean>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #quietSince = performance.now();
  #looking = false;
  /** What to do once it is over. */
  closed: () => void = () => {};

  constructor(compare: Compare, alive: () => Promise<boolean>) {
    this.#compare = compare;
    this.#alive = alive;
  }

  body(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
        this.#write('retry: 3000\n\n');
      },
      cancel: () => this.#over(),
    });
  }

  /** Tells what has changed, unless the page is still busy with what it was told before. */
  async look(rows: FleetRow[] | undefined): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      if (!(await this.#alive())) {
        this.#tell({ event: 'ended', data: '' });
        return this.close();
      }
      if (rows && (this.#controller?.desiredSize ?? 0) > 0) {
        const told = await this.#compare(rows);
        if (told) this.#tell(told);
      }
      if (performance.now() - this.#quietSince >= QUIET_MS) this.#write(': still here\n\n');
    } catch {
      // The store did not answer: the page connects again, and is told what is then.
      this.close();
    } finally {
      this.#looking = false;
    }
  }

  close(): void {
    try {
      this.#controller?.close();
    } catch {}
    this.#over();
  }

  #tell({ event, data }: Told): void {
    this.#write(`event: ${event}\ndata: ${data}\n\n`);
  }

  #write(text: string): void {
    this.#quietSince = performance.now();
    this.#controller?.enqueue(Buffer.from(text));
  }

  #over(): void {
    this.#controller = undefined;
    this.closed();
    this.closed = () => {};
  }
}
