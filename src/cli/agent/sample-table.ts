import type { Collected } from '../../collectors/runner.ts';
import type { Inventory, Metric } from '../../protocol/heartbeat.ts';
import { formatBytes, formatDuration } from '../../support/durations.ts';
import { paint, table } from '../output.ts';

/** A sample for people: a heading a collector with what it took, and beneath it every series with its value. */
export function renderSample({ metrics, statuses, starts }: Collected, inventory?: Inventory): string {
  const parts = statuses.map(({ name, state, duration, detail, denied }, index) => {
    const head = `${paint('bold', name)}  ${state === 'ok' ? '' : `${paint(state === 'failed' || state === 'denied' ? 'red' : 'yellow', state)}  `}${(duration * 1_000).toFixed(2)} ms`;
    const rows = metrics.slice(starts[index], starts[index + 1]).flatMap(series);
    return [
      head,
      ...(detail ? [`  ${detail}`] : []),
      ...(denied ? [`  not permitted: ${denied.join(', ')}`] : []),
      ...(rows.length > 0 ? [indent(table(['METRIC', 'OF', 'VALUE'], rows))] : []),
    ].join('\n');
  });
  if (inventory) {
    const rows = Object.entries(inventory).map(([name, value]) => [name, String(value)]);
    parts.push(`${paint('bold', 'inventory')}\n${indent(table(['NAME', 'VALUE'], rows))}`);
  }
  const total = statuses.reduce((sum, { duration }) => sum + duration, 0);
  const points = metrics.reduce((sum, metric) => sum + metric.points.length, 0);
  parts.push(
    `${points} points from ${statuses.length} ${statuses.length === 1 ? 'collector' : 'collectors'} in ${(total * 1_000).toFixed(1)} ms`,
  );
  return parts.join('\n\n');
}

const indent = (text: string): string => text.replace(/^/gm, '  ');

function series({ name, unit, points }: Metric): string[][] {
  return points.map((point, index) => [
    index === 0 ? name : '',
    point.slice(0, -1).join(' '),
    humanValue(name, unit, point[point.length - 1] as number),
  ]);
}

/** A value in its unit as people say it: `3.2 MiB`, `2d 4h`, `41.5 °C`, `12 processes`. */
export function humanValue(name: string, unit: string, value: number): string {
  if (name === 'scout.boot_time') return new Date(value * 1_000).toISOString();
  if (unit === 'By') return formatBytes(value);
  if (unit === 's') return value >= 60 ? formatDuration(value * 1_000) : `${value} s`;
  if (unit === 'Cel') return `${value} °C`;
  if (name.endsWith('.ratio')) return `${Math.round(value * 10_000) / 100} %`;
  if (unit === '1') return String(value);
  const word = unit.replace(/[{}]/g, '').replaceAll('_', ' ');
  return `${value} ${plural(word, value)}`;
}

function plural(word: string, count: number): string {
  if (count === 1) return word;
  return word.endsWith('switch') || word.endsWith('process') ? `${word}es` : `${word}s`;
}
