import type { Inventory } from '../../protocol/heartbeat.ts';
import { type Registry, showServer } from '../servers.ts';
import type { EndedKey } from '../store/store.ts';
import { CHARTS, DETAIL_CHARTS, drawCharts, metricsOf } from './charts.ts';
import type { Looking } from './fleet-page.ts';
import { RANGES, type Range } from './ranges.ts';
import { type Read, readRange, stepOf } from './readings.ts';
import { markOf } from './server-mark.ts';
import type { ServerView } from './server-page.ts';
import { snapshotOf } from './snapshot.ts';

const HOUR_MS = 3_600_000;

/** Everything that the page of one server shows; `detail`: also each core and device by itself. Throws HUB_SERVER_UNKNOWN. */
export async function viewServer(hub: Registry, name: string, range: Range, detail: boolean): Promise<Omit<ServerView, keyof Looking>> {
  const details = await showServer(hub, name);
  const { server_id: id, state, last_sampled: sampled } = details;
  const row = await hub.store.standing(hub.org, name);
  const to = hub.now() + 1;
  const from = to - RANGES[range] * HOUR_MS;
  const interval = details.interval ?? 10;
  const charts = detail ? [...CHARTS, ...DETAIL_CHARTS] : CHARTS;
  const options = { from, to, interval, names: metricsOf(charts) };
  const none: Read = { readings: [], step: stepOf(from, to, interval) };
  const { readings, step } = state === 'never' ? none : await readRange(hub.store, id, options);
  return {
    details,
    inventory: parseInventory(await hub.store.inventory(id)),
    ended: (await hub.store.endedKeys(id)).map(({ hash, endedAt, how }) => ({ fingerprint: hash.slice(0, 12), endedAt, how })),
    refusedAt: row?.refusedAt ?? null,
    silentAfter: hub.silentAfter,
    mark: markOf(hub, row, await hub.store.keys(id)),
    snapshot: sampled === null ? { fileSystems: [], processes: [] } : await snapshotOf(hub.store, id, Date.parse(sampled), interval),
    charts: drawCharts(charts, readings, step),
    range,
    detail,
    from,
    to,
  };
}

/** A key that is no more, as the page shows it. */
export interface EndedView extends Pick<EndedKey, 'endedAt' | 'how'> {
  fingerprint: string;
}

function parseInventory(text: string | null): Inventory {
  if (text === null) return {};
  try {
    return JSON.parse(text) as Inventory;
  } catch {
    return {};
  }
}
