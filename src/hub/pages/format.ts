import { html } from 'hono/html';
import { formatBytes, formatDuration } from '../../support/durations.ts';
import { rfc3339 } from '../servers.ts';

/** A piece of HTML, escaped where it was made. */
export type Markup = ReturnType<typeof html>;

/** How a chart's numbers are read. */
export type Unit = 'percent' | 'bytes' | 'bytes/s' | 'number';

/** A number of a chart for people: `12.3 %`, `3.2 MiB/s`, `0.42`. */
export function formatValue(value: number | null, unit: Unit): string {
  if (value === null) return '–';
  if (unit === 'percent') return `${value.toFixed(value < 10 ? 1 : 0)} %`;
  if (unit === 'number') return value.toFixed(2);
  const bytes = formatBytes(value < 1024 ? Math.round(value) : value);
  return unit === 'bytes' ? bytes : `${bytes}/s`;
}

/** A whole number with its thousands apart: `12 345`. */
export const formatCount = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');

/** The exact time, as titles show it: `2026-11-21 08:40:12 UTC`. */
const exactTime = (ms: number): string => `${rfc3339(ms).slice(0, 19).replace('T', ' ')} UTC`;

/** How long ago, with the exact time beneath the pointer. */
export function ago(ms: number, now: number): Markup {
  const age = now - ms;
  const words = Math.abs(age) < 1_000 ? 'just now' : age < 0 ? `in ${formatDuration(-age)}` : `${formatDuration(age)} ago`;
  return html`<time datetime="${rfc3339(ms)}" title="${exactTime(ms)}" data-tick="ago">${words}</time>`;
}

/** For how long, with the exact time of the beginning beneath the pointer. */
export function forLong(ms: number, now: number): Markup {
  return html`<time datetime="${rfc3339(ms)}" title="since ${exactTime(ms)}" data-tick="for">${formatDuration(Math.max(0, now - ms))}</time>`;
}

/** How much is left until then, counted down by a script. */
export function left(ms: number, now: number): Markup {
  return html`<time datetime="${rfc3339(ms)}" title="until ${exactTime(ms)}" data-tick="left">${ms > now ? formatDuration(ms - now) : 'over'}</time>`;
}

/** A time of day, exact to the second. */
export const at = (ms: number): Markup => html`<time datetime="${rfc3339(ms)}">${exactTime(ms)}</time>`;
