import { type Heartbeat, heartbeatSchema } from '../../protocol/heartbeat.ts';

/*
 * Whether a value is a heartbeat, by hand: the hub does this thousands of times a second, and the schema's own parser
 * costs three times as much as reading the JSON. The schema stays the authority: it explains what fails here, and a
 * test holds the two together.
 */

const UUID =
  /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$/i;

type Unknown = Record<string, unknown>;

const isObject = (value: unknown): value is Unknown => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown, least: number, most: number) => typeof value === 'string' && value.length >= least && value.length <= most;
const isWhole = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least;

/** Whether `value` fits heartbeatSchema. */
export function isHeartbeat(value: unknown): value is Heartbeat {
  if (!isObject(value)) return false;
  const { agent, host, interval, metrics } = value;
  return (
    value.v === 1 &&
    typeof value.instance === 'string' &&
    UUID.test(value.instance) &&
    isWhole(value.sequence, 1) &&
    isWhole(value.time, 0) &&
    Number.isFinite(interval) &&
    (interval as number) > 0 &&
    (interval as number) <= 604_800 &&
    isObject(agent) &&
    isText(agent.version, 0, 64) &&
    isObject(host) &&
    isText(host.name, 1, 255) &&
    (host.boot_time === undefined || Number.isFinite(host.boot_time)) &&
    (value.inventory === undefined || isInventory(value.inventory)) &&
    Array.isArray(metrics) &&
    metrics.length <= 2_000 &&
    metrics.every(isMetric)
  );
}

function isInventory(value: unknown): boolean {
  if (!isObject(value)) return false;
  return Object.entries(value).every(
    ([name, fact]) => name.length <= 255 && (isText(fact, 0, 1_024) || Number.isFinite(fact) || typeof fact === 'boolean'),
  );
}

function isMetric(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { attributes, points, type } = value;
  return (
    isText(value.name, 1, 255) &&
    isText(value.unit, 0, 63) &&
    (type === 'gauge' || type === 'counter' || type === 'updowncounter') &&
    Array.isArray(attributes) &&
    attributes.length <= 32 &&
    attributes.every((name) => isText(name, 1, 255)) &&
    Array.isArray(points) &&
    points.length <= 20_000 &&
    points.every(isPoint)
  );
}

function isPoint(row: unknown): boolean {
  if (!Array.isArray(row) || row.length > 33) return false;
  for (const cell of row) {
    if (typeof cell === 'string' ? cell.length > 1_024 : !Number.isFinite(cell)) return false;
  }
  return true;
}

/** What keeps `value` from being a heartbeat: the first place, and what was expected there. */
export function explain(value: unknown): string {
  const issue = heartbeatSchema.safeParse(value).error?.issues[0];
  if (!issue) return 'it is not a heartbeat';
  const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return `${path.replace(/^\./, '') || 'it'}: ${issue.message}`;
}
