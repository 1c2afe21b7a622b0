import { Refusal } from '../http/problems.ts';
import { param } from '../http/requests.ts';
import type { Router } from '../http/router.ts';
import type { Hub } from '../hub.ts';
import { MOST_POINTS, readRange } from '../pages/readings.ts';
import { type Attributes, ratesOf, valuesOf } from '../pages/series.ts';
import { type Registry, rfc3339, showServer } from '../servers.ts';

const HOUR_MS = 3_600_000;
/** Longest range that one request may ask for. */
const LONGEST_MS = 31 * 24 * HOUR_MS;

/** Mounts the series behind the charts. */
export function mountSeries(router: Router, hub: Hub): void {
  router.on('GET /api/v1/servers/:name/series', async (c) => {
    const { metric, from, to } = c.req.query();
    if (!metric) throw invalid('Name one metric: ?metric=system.cpu.time');
    const until = instant(to, hub.now());
    const since = instant(from, until - HOUR_MS);
    if (Number.isNaN(since) || Number.isNaN(until))
      throw invalid('`from` and `to` are times such as 2026-01-31T12:00:00Z, or milliseconds since the epoch.');
    if (since >= until || until - since > LONGEST_MS) throw invalid('`from` lies before `to`, and at most 31 days before it.');
    return c.json(await seriesOf(c.get('registry'), param(c, 'name'), metric, since, until));
  });
}

/** Series of one metric: gauges as read, counters as gain per second, downsampled to at most 500 points. */
async function seriesOf(hub: Registry, name: string, metric: string, from: number, to: number) {
  const { server_id, interval } = await showServer(hub, name);
  const options = { from, to, interval: interval ?? 10, names: new Set([metric]) };
  const { readings: found, step } = await readRange(hub.store, server_id, options);
  const described = found.findLast((reading) => reading.metrics.has(metric))?.metrics.get(metric);
  const counter = described?.type === 'counter';
  const { times, lines } = (counter ? ratesOf : valuesOf)(found, metric, (row) => JSON.stringify(row), step);
  const series = [...lines].map(([label, values]) => ({ attributes: JSON.parse(label) as Attributes, values }));
  const unit = described ? `${described.unit}${counter ? '/s' : ''}` : null;
  return {
    server: name,
    metric,
    unit,
    kind: counter ? 'rate' : 'value',
    from: rfc3339(from),
    to: rfc3339(to),
    most_points: MOST_POINTS,
    times,
    series,
  };
}

function instant(text: string | undefined, otherwise: number): number {
  if (text === undefined || text === '') return otherwise;
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isSafeInteger(ms) && ms <= 8.64e15 ? ms : Number.NaN;
}

const invalid = (detail: string): Refusal => new Refusal('bad_request', detail);
