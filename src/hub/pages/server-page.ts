import { html, raw } from 'hono/html';
import { formatBytes, formatDuration } from '../../support/durations.ts';
import type { ServerDetails } from '../servers.ts';
import type { Chart } from './charts.ts';
import { stateBadge } from './fleet-page.ts';
import { ago, forLong, formatCount, formatValue, type Markup } from './format.ts';
import { liveControls } from './layout.ts';

/** Ranges of the charts, in hours, by the word in the address. */
export const RANGES = { '1h': 1, '6h': 6, '24h': 24 } as const;
export type Range = keyof typeof RANGES;

const APART_MS = 60_000;

export interface ServerView {
  details: ServerDetails;
  inventory: Record<string, string | number | boolean>;
  charts: Chart[];
  range: Range;
  /** Bounds of the charts, ms. */
  from: number;
  to: number;
}

/** The server page's content around what refreshes. */
export function serverBody(view: ServerView, now: number): Markup {
  return html`<nav class="crumbs" aria-label="Where this is"><a href="/">Fleet</a> <span aria-hidden="true">›</span> <span aria-current="page">${view.details.name}</span></nav>
<div class="title"><h1>${view.details.name}</h1>${liveControls}</div>
<div id="live" data-every="10000">${serverFragment(view, now)}</div>`;
}

/** What of the server page refreshes. */
export function serverFragment(view: ServerView, now: number): Markup {
  const { details } = view;
  return html`${overview(details, now)}
${details.state === 'never' ? neverSeen(details) : chartsSection(view)}
<div class="columns">
<div>
${keysSection(details, now)}
${deliverySection(details)}
${refusedSection(details)}
</div>
<div>
${factsSection(view.inventory)}
</div>
</div>`;
}

function overview(details: ServerDetails, now: number): Markup {
  const fact = (name: string, value: Markup | string) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const at = (text: string) => ago(Date.parse(text), now);
  return html`<dl class="facts overview">
${fact('State', html`${stateBadge(details.state)} <small class="quiet">for ${forLong(Date.parse(details.since), now)}</small>`)}
${fact('Last heartbeat', details.last_received ? at(details.last_received) : 'none yet')}
${details.last_sampled !== null && isApart(details) && fact('Sampled', at(details.last_sampled))}
${details.interval !== null && fact('Every', formatDuration(details.interval * 1_000))}
${details.host_name !== null && fact('Host name', details.host_name)}
${details.agent_version !== null && fact('Agent', details.agent_version)}
${details.fingerprint !== null && fact('Key', html`<code>${details.fingerprint}</code> ${details.slot}`)}
${fact('Accepted', formatCount(details.accepted))}
${fact('Registered', at(details.created))}
</dl>`;
}

/** Whether the latest heartbeat is worth a second time: it waited in an outbox, or the host's clock is wrong. */
function isApart({ last_received, last_sampled }: ServerDetails): boolean {
  return Math.abs(Date.parse(last_received ?? '') - Date.parse(last_sampled ?? '')) > APART_MS;
}

function neverSeen(details: ServerDetails): Markup {
  return html`<div class="message"><h2>No heartbeat yet</h2>
<p>Put the key that <code>scout-hub server add ${details.name}</code> printed and this hub’s address into the agent’s configuration on the server, then:</p>
<pre><code>scout-agent --check-config --online
systemctl start scout-agent</code></pre></div>`;
}

function chartsSection(view: ServerView): Markup {
  const { charts, range, details } = view;
  const link = (one: Range) =>
    html`<a href="?range=${one}" class="range" data-soft id="range-${one}"${one === range && html` aria-current="true"`}>${one}</a>`;
  const none = html`<p class="message">No measurements were received in these ${range}.</p>`;
  return html`<section aria-labelledby="charts-title">
<div class="title"><h2 id="charts-title">Last ${RANGES[range]} ${RANGES[range] === 1 ? 'hour' : 'hours'}</h2>
<nav class="ranges" aria-label="Range of the charts">${(Object.keys(RANGES) as Range[]).map(link)}</nav></div>
${charts.length === 0 ? none : html`<div class="charts">${charts.map((chart) => figure(chart, details.name))}</div>`}
${dataBlock(view)}
</section>`;
}

function figure(chart: Chart, server: string): Markup {
  const { id, title, unit, series, left, zero } = chart;
  return html`<figure class="chart" aria-labelledby="title-${id}">
<figcaption id="title-${id}"><h3>${title}</h3></figcaption>
<div class="plot" id="plot-${id}" data-keep role="img" aria-label="Chart of ${title.toLowerCase()} of ${server}; its figures are in the table below"></div>
<table role="table"><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader"><span class="hidden">Line</span></th><th scope="col" role="columnheader" class="number" data-cursor>Latest</th><th scope="col" role="columnheader" class="number">Least</th><th scope="col" role="columnheader" class="number">Most</th></tr></thead>
<tbody role="rowgroup">${series.map(
    ({ label, latest, least, most }, i) =>
      html`<tr role="row"><th scope="row" role="rowheader"><span class="swatch s${i}" aria-hidden="true"></span>${label}</th>${[
        latest,
        least,
        most,
      ].map((value) => html`<td role="cell" class="number">${formatValue(value, unit)}</td>`)}</tr>`,
  )}</tbody></table>
${zero.length > 0 && html`<p class="quiet">Zero throughout: ${zero.join(', ')}</p>`}
${left > 0 && html`<p class="quiet">and ${left} more with lower peaks</p>`}
</figure>`;
}

/** The charts' numbers for the script. A data block is not run, so the policy against inline scripts leaves it alone. */
function dataBlock({ charts, from, to }: ServerView): Markup {
  const short = (value: number | null) => (value === null ? null : Number(value.toPrecision(4)));
  const data = charts.map(({ id, unit, stacked = false, top, times, series }) => ({
    id,
    unit,
    stacked,
    top,
    times,
    series: series.map(({ label, values }) => ({ label, values: values.map(short) })),
  }));
  const text = JSON.stringify({ from: from / 1_000, to: to / 1_000, charts: data }).replace(/</g, '\\u003c');
  return html`<script type="application/json" id="chart-data">${raw(text)}</script>`;
}

function keysSection({ keys }: ServerDetails, now: number): Markup {
  const time = (text: string | null, otherwise: string) =>
    text === null ? html`<span class="quiet">${otherwise}</span>` : ago(Date.parse(text), now);
  return html`<section class="panel" aria-labelledby="keys-title"><h2 id="keys-title">Keys</h2>
<table role="table" class="stacking"><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Fingerprint</th><th scope="col" role="columnheader">Name</th><th scope="col" role="columnheader">Slot</th><th scope="col" role="columnheader">Last used</th><th scope="col" role="columnheader">Valid until</th></tr></thead>
<tbody role="rowgroup">${keys.map(
    (key) =>
      html`<tr role="row"><th scope="row" role="rowheader"><code>${key.fingerprint}</code></th><td role="cell" data-label="Name">${key.name ?? html`<span class="quiet">none</span>`}</td><td role="cell" data-label="Slot">${key.slot}${!key.enabled && ' (disabled)'}</td><td role="cell" data-label="Last used">${time(key.last_used, 'never')}</td><td role="cell" data-label="Valid until">${time(key.valid_until, 'no end')}</td></tr>`,
  )}</tbody></table></section>`;
}

const MOST_GAPS = 5;
/** An agent without a lasting state folder begins a new instance at each start. */
const MOST_INSTANCES = 10;

function deliverySection({ instances }: ServerDetails): Markup {
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

function refusedSection({ refused }: ServerDetails): Markup {
  const rows = Object.entries(refused);
  return html`<section class="panel" aria-labelledby="refused-title"><h2 id="refused-title">Refused requests</h2>
${
  rows.length === 0
    ? html`<p class="quiet">None.</p>`
    : html`<table role="table"><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Status</th><th scope="col" role="columnheader">Meaning</th><th scope="col" role="columnheader" class="number">Requests</th></tr></thead>
<tbody role="rowgroup">${rows.map(([status, count]) => html`<tr role="row"><th scope="row" role="rowheader">${status}</th><td role="cell">${REASONS[status] ?? ''}</td><td role="cell" class="number">${formatCount(count)}</td></tr>`)}</tbody></table>`
}</section>`;
}

function factsSection(inventory: ServerView['inventory']): Markup {
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
