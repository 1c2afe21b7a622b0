import type { Metric, Point } from '../protocol/heartbeat.ts';
import { labelName, metricName } from './prometheus-names.ts';
import { unitOf } from './units.ts';

/** Content type of what `renderPrometheus` returns. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** All metrics that share one name in Prometheus. */
interface Family {
  type: 'counter' | 'gauge';
  help: string;
  /** Each series with its value; the first reading of a series counts, for a second one spoils the whole scrape. */
  series: Map<string, number>;
}

/**
 * Metrics in Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats), without timestamps.
 * Where two metrics fall on one name with different types, the first one stays.
 */
export function renderPrometheus(metrics: Metric[]): string {
  const families = new Map<string, Family>();
  for (const metric of metrics) {
    const name = metricName(metric);
    if (name === '' || metric.points.length === 0) continue;
    const type = metric.type === 'counter' ? 'counter' : 'gauge';
    let family = families.get(name);
    if (!family) {
      const unit = unitOf(metric);
      family = { type, help: unit === '' ? metric.name : `${metric.name}, unit ${unit}`, series: new Map() };
      families.set(name, family);
    }
    if (family.type === type) addSeries(family, name, metric);
  }

  let text = '';
  for (const [name, { type, help, series }] of families) {
    text += `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`;
    for (const [line, value] of series) text += `${line} ${value}\n`;
  }
  return text;
}

function addSeries(family: Family, name: string, { attributes, points }: Metric): void {
  const labels = attributes.map(labelName);
  const merged = new Set(labels).size < labels.length;
  for (const row of points) {
    const value = row[attributes.length];
    if (typeof value !== 'number') continue;
    const line = merged ? mergedLine(name, labels, row) : seriesLine(name, labels, row);
    if (!family.series.has(line)) family.series.set(line, value);
  }
}

function seriesLine(name: string, labels: string[], row: Point): string {
  let text = '';
  for (let index = 0; index < labels.length; index += 1) text += `${index > 0 ? ',' : ''}${labels[index]}="${escaped(row[index])}"`;
  return text === '' ? name : `${name}{${text}}`;
}

/** Attributes that fall on one label: their values in the order of their names, with semicolons between them. */
function mergedLine(name: string, labels: string[], row: Point): string {
  const values = new Map<string, string>();
  labels.forEach((label, index) => {
    const before = values.get(label);
    values.set(label, before === undefined ? String(row[index]) : `${before};${row[index]}`);
  });
  return seriesLine(name, [...values.keys()], [...values.values()]);
}

function escaped(value: string | number | undefined): string {
  if (typeof value !== 'string') return String(value);
  return /[\\"\n]/.test(value) ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') : value;
}
