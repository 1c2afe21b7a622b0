import type { Metric } from '../protocol/heartbeat.ts';
import { unitOf } from './units.ts';

/*
 * OpenTelemetry's names as Prometheus' (opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics):
 * the same names that a Collector, Prometheus or Mimir makes of what we send over OTLP, so that dashboards fit both.
 */

/** UCUM units with a word of their own; others are taken as they are. */
const UNITS: Record<string, string> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent',
  '1': '',
};

/** `system.cpu.time` in seconds, a counter → `system_cpu_time_seconds_total`. */
export function metricName(metric: Pick<Metric, 'name' | 'unit' | 'type'>): string {
  const { name, type } = metric;
  const unit = unitOf(metric);
  const words = name.split(/[^A-Za-z0-9:]+/).filter(Boolean);
  const suffixes = [...unitWords(unit)];
  if (unit === '1' && type === 'gauge') suffixes.push('ratio');
  if (type === 'counter') suffixes.push('total');
  // A name that ends so already does not get it twice.
  while (suffixes.includes(words.at(-1) ?? '')) words.pop();
  const full = [...words, ...suffixes].join('_');
  return /^[0-9]/.test(full) ? `_${full}` : full;
}

/** `cpu.mode` → `cpu_mode`. */
export function labelName(attribute: string): string {
  // Runs of underscores become one: names that begin with two are Prometheus' own.
  const name = attribute.replace(/[^A-Za-z0-9]+/g, '_');
  return /^[0-9]/.test(name) ? `key_${name}` : name;
}

/** `By` → bytes; `By/s` → bytes, per, second; what stands in braces is a remark and no unit. */
function unitWords(unit: string): string[] {
  const [main = '', per] = unit.replace(/\{[^}]*\}/g, '').split('/', 2);
  const word = (text: string): string => (UNITS[text] ?? text).replace(/[^A-Za-z0-9]+/g, '_').replace(/^_|_$/g, '');
  const words = [word(main)];
  if (per) words.push('per', word(per).replace(/s$/, ''));
  return words.filter(Boolean);
}
