import { html, raw } from 'hono/html';
import type { Chart } from './charts.ts';
import { formatValue, type Markup } from './format.ts';
import { RANGES, type Range, wordsOf } from './ranges.ts';
import type { ServerView } from './server-page.ts';

/** The shortest range that goes back to the latest heartbeat, where this one does not. */
function further({ details, to, detail }: ServerView, url: (range: Range, all: boolean) => string): Markup | '' {
  const since = to - Date.parse(details.last_sampled ?? '');
  const found = (Object.keys(RANGES) as Range[]).find((one) => RANGES[one] * 3_600_000 > since);
  return found ? html` The latest are within the <a href="${url(found, detail)}" data-soft>last ${wordsOf(found)}</a>.` : '';
}

/** How lines are dashed, so that colour is not all that tells them apart; areas are not. */
const DASHES = ['', '7 4', '2 3', '10 3 2 3', '14 4', '4 2', '2 6', '10 3 2 3 2 3'];

/** The charts of a server with the choice of their range. */
export function chartsSection(view: ServerView): Markup {
  const { charts, range, detail, details } = view;
  const url = (one: Range, all: boolean) => `?range=${one}${all ? '&detail=1' : ''}`;
  const link = (one: Range) =>
    html`<a href="${url(one, detail)}" class="range" data-soft id="range-${one}"${one === range && html` aria-current="true"`}>${one}</a>`;
  const none = html`<p class="message">No measurements were received in the last ${wordsOf(range)}.${further(view, url)}</p>`;
  return html`<section aria-labelledby="charts-title">
<div class="title"><h2 id="charts-title">Last ${wordsOf(range)}</h2>
<div class="chart-choices"><a href="${url(range, !detail)}" data-soft id="detail">${detail ? 'Sums only' : 'Each core and device'}</a>
<nav class="ranges" aria-label="Range of the charts">${(Object.keys(RANGES) as Range[]).map(link)}</nav></div></div>
${charts.length === 0 ? none : html`<div class="charts">${charts.map((chart) => figure(chart, details.name))}</div>`}
${dataBlock(view)}
</section>`;
}

function figure(chart: Chart, server: string): Markup {
  const { id, title, unit, series, left, zero, stacked = false } = chart;
  return html`<figure class="chart" aria-labelledby="title-${id}">
<figcaption id="title-${id}"><h3>${title}</h3></figcaption>
<div class="plot" id="plot-${id}" data-keep role="img" aria-label="Chart of ${title.toLowerCase()} of ${server}; its figures are in the table below"></div>
<table role="table"><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader"><span class="hidden">Line</span></th><th scope="col" role="columnheader" class="number" data-cursor>Latest</th><th scope="col" role="columnheader" class="number">Least</th><th scope="col" role="columnheader" class="number">Most</th></tr></thead>
<tbody role="rowgroup">${series.map(
    ({ label, latest, least, most }, i) =>
      html`<tr role="row"><th scope="row" role="rowheader">${swatch(i, stacked)}${label}</th>${[latest, least, most].map(
        (value) => html`<td role="cell" class="number">${formatValue(value, unit)}</td>`,
      )}</tr>`,
  )}</tbody></table>
${zero.length > 0 && html`<p class="quiet">Zero throughout: ${zero.join(', ')}</p>`}
${left > 0 && html`<p class="quiet">and ${left} more with lower peaks</p>`}
</figure>`;
}

const dashOf = (i: number): number[] => (DASHES[i] ?? '').split(' ').filter(Boolean).map(Number);

function swatch(i: number, stacked: boolean): Markup {
  if (stacked) return html`<span class="swatch s${i}" aria-hidden="true"></span>`;
  const dash = DASHES[i] && html` stroke-dasharray="${DASHES[i]}"`;
  return html`<svg class="swatch line s${i}" viewBox="0 0 27 8" aria-hidden="true"><path d="M0 4h27"${dash}/></svg>`;
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
    series: series.map(({ label, values }, i) => ({ label, dash: stacked ? [] : dashOf(i), values: values.map(short) })),
  }));
  const text = JSON.stringify({ from: from / 1_000, to: to / 1_000, charts: data, days: to - from > 48 * 3_600_000 }).replace(
    /</g,
    '\\u003c',
  );
  return html`<script type="application/json" id="chart-data">${raw(text)}</script>`;
}
