import type { Inventory } from '../../protocol/heartbeat.ts';
import { type Registry, showServer } from '../servers.ts';
import { CHART_METRICS, drawCharts } from './charts.ts';
import { type Read, readRange, stepOf } from './readings.ts';
import { RANGES, type Range, type ServerView } from './server-page.ts';

const HOUR_MS = 3_600_000;

/** Everything that the page of one server shows. Throws HUB_SERVER_UNKNOWN. */
export async function viewServer(hub: Registry, name: string, range: Range): Promise<ServerView> {
  const details = await showServer(hub, name);
  const to = hub.now() + 1;
  const from = to - RANGES[range] * HOUR_MS;
  const interval = details.interval ?? 10;
  const options = { from, to, interval, names: CHART_METRICS };
  const none: Read = { readings: [], step: stepOf(from, to, interval) };
  const { readings, step } = details.state === 'never' ? none : await readRange(hub.store, details.server_id, options);
  return {
    details,
    inventory: parseInventory(await hub.store.inventory(details.server_id)),
    charts: drawCharts(readings, step),
    range,
    from,
    to,
  };
}

function parseInventory(text: string | null): Inventory {
  if (text === null) return {};
  try {
    return JSON.parse(text) as Inventory;
  } catch {
    return {};
  }
}
