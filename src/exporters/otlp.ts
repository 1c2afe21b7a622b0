import type { Heartbeat, Inventory, Metric, MetricType, Point } from '../protocol/heartbeat.ts';
import { unitOf } from './units.ts';

/*
 * What heartbeats are in OpenTelemetry's data model (opentelemetry.io/docs/specs/otel/metrics/data-model). Metric
 * names, units and attributes are OpenTelemetry's already, so this is a change of grouping only: heartbeat → metric →
 * rows becomes resource → metric → points. The encoders of protobuf and JSON both walk what stands here.
 */

/** Name of the service and of the instrumentation scope. */
export const SCOPE = 'scout-agent';

/** AGGREGATION_TEMPORALITY_CUMULATIVE */
export const CUMULATIVE = 2;

/** All that one agent on one host reported. */
export interface OtlpResource {
  /** Resource attributes; all of them are strings. */
  attributes: [name: string, value: string][];
  /** Version of the agent; of the scope as well. */
  version: string;
  metrics: OtlpMetric[];
}

/** One metric, with the rows of each heartbeat that has it, oldest first. */
export interface OtlpMetric {
  name: string;
  unit: string;
  type: MetricType;
  readings: OtlpReadings[];
}

/** The rows of one metric from one heartbeat. */
export interface OtlpReadings {
  attributes: string[];
  rows: Point[];
  /** Nanoseconds since the epoch. */
  time: bigint;
  /** When the count began; 0 (which OTLP reads as unknown) where nobody can tell. */
  start: bigint;
}

/**
 * What is known of the host of an agent instance. Few heartbeats carry an inventory, and a resource whose attributes
 * come and go is a new set of series each time, so whoever can tell them for all heartbeats alike does it here.
 */
export type InventoryOf = (instance: string) => Inventory | undefined;

/** Groups heartbeats by the host and agent they came from, and then by metric. `moreOf`: further attributes of a resource. */
export function toOtlp(
  heartbeats: Heartbeat[],
  inventoryOf: InventoryOf = () => undefined,
  moreOf: (heartbeat: Heartbeat) => OtlpResource['attributes'] = () => [],
): OtlpResource[] {
  const resources = new Map<string, OtlpResource & { index: Map<string, OtlpMetric> }>();
  for (const heartbeat of heartbeats) {
    const inventory = inventoryOf(heartbeat.instance) ?? heartbeat.inventory;
    const attributes = [...resourceAttributes(heartbeat, inventory), ...moreOf(heartbeat)];
    const key = JSON.stringify(attributes);
    let resource = resources.get(key);
    if (!resource) {
      resource = { attributes, version: heartbeat.agent.version, metrics: [], index: new Map() };
      resources.set(key, resource);
    }
    addMetrics(resource, heartbeat);
  }
  return [...resources.values()];
}

/** The number of a row when the row fits its metric, else undefined. */
export function rowValue(row: Point, attributes: string[]): number | undefined {
  const value = row[attributes.length];
  return typeof value === 'number' ? value : undefined;
}

/**
 * Whether a number is sent as an integer. Decided by what the metric is before what the number happens to be, so that
 * a series of seconds is not an integer once a minute: backends may keep the two apart.
 */
export function isInteger(metric: Pick<Metric, 'type' | 'unit'>, value: number): boolean {
  return metric.type !== 'gauge' && metric.unit !== 's' && metric.unit !== '1' && Number.isSafeInteger(value);
}

function addMetrics(resource: OtlpResource & { index: Map<string, OtlpMetric> }, heartbeat: Heartbeat): void {
  const time = BigInt(heartbeat.time) * 1_000_000n;
  const boot = BigInt(Math.round((heartbeat.host.boot_time ?? 0) * 1_000)) * 1_000_000n;
  // A count that begins after it was read is refused; clocks that were set back make such.
  const start = boot > 0n && boot <= time ? boot : 0n;
  for (const sampled of heartbeat.metrics) {
    const { name, type, attributes, points } = sampled;
    if (points.length === 0) continue;
    const unit = unitOf(sampled);
    const key = `${name}\n${unit}\n${type}`;
    let metric = resource.index.get(key);
    if (!metric) {
      metric = { name, unit, type, readings: [] };
      resource.index.set(key, metric);
      resource.metrics.push(metric);
    }
    metric.readings.push({ attributes, rows: points, time, start: type === 'counter' && !countsSinceAgentStart(name) ? start : 0n });
  }
}

/** The agent's counts of itself begin with its process, whose start a heartbeat does not tell; the kernel's at boot. */
function countsSinceAgentStart(name: string): boolean {
  return /^scout\.(agent|collector|delivery|outbox)\./.test(name);
}

function resourceAttributes(heartbeat: Heartbeat, inventory: Inventory | undefined): OtlpResource['attributes'] {
  const attributes: OtlpResource['attributes'] = [
    ['service.name', SCOPE],
    ['service.version', heartbeat.agent.version],
    ['service.instance.id', heartbeat.instance],
    ['host.name', heartbeat.host.name],
  ];
  for (const name of ['host.id', 'os.type']) {
    const value = inventory?.[name];
    if (value !== undefined && value !== '') attributes.push([name, String(value)]);
  }
  return attributes;
}
