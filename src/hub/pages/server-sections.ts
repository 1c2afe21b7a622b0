import { html } from 'hono/html';
import { formatBytes } from '../../support/durations.ts';
import type { ServerDetails } from '../servers.ts';
import { ago, formatCount, type Markup } from './format.ts';
import { listTable, none } from './parts.ts';
import type { ServerView } from './server-page.ts';
import type { FileSystem, Process } from './snapshot.ts';

const MOST_GAPS = 5;
/** An agent without a lasting state folder begins a new instance at each start. */
const MOST_INSTANCES = 10;

/** What came in from each instance of the agent, and what is missing. */
export function deliverySection({ instances }: ServerDetails): Markup {
  if (instances.length === 0) return html``;
  const heads = ['Agent instance', 'First', 'Last', 'Accepted', 'Repeated', 'Missing'];
  return html`<section class="panel wide" aria-labelledby="delivery-title"><h2 id="delivery-title">Delivery</h2>
<table role="table" class="stacking"><thead role="rowgroup"><tr role="row">${heads.map((head, i) => html`<th scope="col" role="columnheader"${i > 0 && html` class="number"`}>${head}</th>`)}</tr></thead>
<tbody role="rowgroup">${instances
    .slice(-MOST_INSTANCES)
    .map(
      (one) =>
        html`<tr role="row"><th scope="row" role="rowheader"><code title="${one.id}">${one.id.slice(0, 8)}</code></th>${[
          one.first_sequence,
          one.last_sequence,
          one.accepted,
          one.duplicates,
        ].map(
          (count, i) => html`<td role="cell" class="number" data-label="${heads[i + 1] ?? ''}">${formatCount(count)}</td>`,
        )}<td role="cell" class="number" data-label="Missing">${gaps(one.gaps)}</td></tr>`,
    )}</tbody></table>
${instances.length > MOST_INSTANCES && html`<p class="quiet">and ${formatCount(instances.length - MOST_INSTANCES)} earlier</p>`}</section>`;
}

function gaps(ranges: [number, number][]): Markup {
  if (ranges.length === 0) return html`none`;
  const missing = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  const shown = ranges.slice(0, MOST_GAPS).map(([from, to]) => (from === to ? String(from) : `${from}–${to}`));
  return html`<b class="bad">${formatCount(missing)}</b> <small class="quiet">(${shown.join(', ')}${ranges.length > MOST_GAPS && ', …'})</small>`;
}

const REASONS: Record<string, string> = {
  400: 'not a heartbeat',
  401: 'key refused',
  403: 'not permitted',
  413: 'too large',
  415: 'unknown encoding',
  429: 'too many',
  500: 'failure of the hub',
};

/** Requests that were refused, by their status. */
export function refusedSection({ refused }: ServerDetails, refusedAt: number | null, now: number): Markup {
  const rows = Object.entries(refused);
  return html`<section class="panel" aria-labelledby="refused-title"><h2 id="refused-title">Refused requests</h2>
${refusedAt !== null && html`<p class="quiet">The last one for its key or its rights ${ago(refusedAt, now)}.</p>`}
${
  rows.length === 0
    ? html`<p class="quiet">None.</p>`
    : html`<table role="table"><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Status</th><th scope="col" role="columnheader">Meaning</th><th scope="col" role="columnheader" class="number">Requests</th></tr></thead>
<tbody role="rowgroup">${rows.map(([status, count]) => html`<tr role="row"><th scope="row" role="rowheader">${status}</th><td role="cell">${REASONS[status] ?? ''}</td><td role="cell" class="number">${formatCount(count)}</td></tr>`)}</tbody></table>`
}</section>`;
}

/** What is known of the machine. */
export function factsSection(inventory: ServerView['inventory']): Markup {
  const facts = Object.entries(inventory);
  return html`<section class="panel" aria-labelledby="facts-title"><h2 id="facts-title">Inventory</h2>
${
  facts.length === 0
    ? html`<p class="quiet">Not received yet; the agent sends it at its start and once an hour.</p>`
    : html`<dl class="facts inventory">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${factText(name, value)}</dd></div>`)}</dl>`
}</section>`;
}

function factText(name: string, value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'number' && /(memory|bytes|size)/.test(name) && value >= 1_024 ? formatBytes(value) : String(value);
}

/** A bar that is filled to a share (percent), with the figure beside it; red when it is nearly full. */
function bar(share: number): Markup {
  const kind = share >= 95 ? 'bad' : share >= 85 ? 'warn' : '';
  return html`<span class="share"><svg class="bar ${kind}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="whole" width="100" height="8"/><rect width="${share.toFixed(1)}" height="8"/></svg><span>${share.toFixed(share < 10 ? 1 : 0)} %</span></span>`;
}

/** File systems as the latest heartbeat told of them, the fullest first. */
export function fileSystemsSection(all: FileSystem[]): Markup {
  if (all.length === 0) return html``;
  const rows = all.map((one) => [
    html`<span title="${one.device}">${one.mount}</span>${one.note && html` <span class="tag ${one.note === 'stale' ? 'bad' : 'warn'}">${one.note}</span>`}`,
    html`${one.type}`,
    bar(one.share),
    html`${formatBytes(one.used)}`,
    html`${formatBytes(one.size)}`,
    one.inodes === null ? none : html`${one.inodes.toFixed(0)} %`,
  ]);
  const number = (head: string) => ({ head, class: 'number' as const });
  return html`<section class="panel" aria-labelledby="mounts-title"><h2 id="mounts-title">File systems</h2>
${listTable(['Mounted at', 'Type', 'Used', number('Taken'), number('Size'), number('Inodes')], rows)}</section>`;
}

/** Processes that the latest heartbeats named: the busiest, and the largest. */
export function processesSection(all: Process[]): Markup {
  if (all.length === 0) return html``;
  const rows = all.map((one) => [
    html`${one.name || none}`,
    html`${one.pid}`,
    one.cpu === null ? none : html`${one.cpu.toFixed(1)} %`,
    one.memory === null ? none : html`${formatBytes(one.memory)}`,
  ]);
  const number = (head: string) => ({ head, class: 'number' as const });
  return html`<section class="panel" aria-labelledby="processes-title"><h2 id="processes-title">Processes</h2>
${listTable(['Program', number('PID'), number('Processor'), number('Memory')], rows)}
<p class="quiet">The busiest and the largest; 100 % is one core.</p></section>`;
}
