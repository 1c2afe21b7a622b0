import { html } from 'hono/html';
import { formatDuration } from '../../support/durations.ts';
import type { ServerState } from '../servers.ts';
import { SILENT_AFTER, type SilentAfter, silenceInWords } from '../silence.ts';
import { FILTERS, type Filter, type FleetLine, type FleetQuery, type FleetView, fleetUrl, PAGE_SIZE, type Sort } from './fleet.ts';
import { ago, forLong, formatCount, type Markup } from './format.ts';
import { liveControls } from './layout.ts';
import { none } from './parts.ts';

/** What each state means, for those who meet it the first time. */
function meaningOf(state: Filter, silentAfter = SILENT_AFTER): string {
  if (state === 'alive') return 'heard from within two intervals';
  if (state === 'late') return 'a heartbeat or more is missing';
  if (state === 'silent') return `not heard from for ${silenceInWords(silentAfter)}`;
  if (state === 'never') return 'registered, no heartbeat yet';
  return 'a request with one of its keys was refused within the last 20 minutes';
}

/** A state: a dot and its word. */
export function stateBadge(state: ServerState, silentAfter?: SilentAfter): Markup {
  return html`<span class="state ${state}" title="${meaningOf(state, silentAfter)}"><span class="dot" aria-hidden="true"></span>${state}</span>`;
}

/** Address of a server's page. */
export const serverUrl = (name: string): string => `/servers/${encodeURIComponent(name)}`;

/** Who looks at the fleet, and from where. */
export interface Looking {
  /** Whether they may change anything. */
  admin: boolean;
  /** The address by which they reach the hub: `https://hub.example`. */
  origin: string;
}

/** What the window's title says, so that a tab in the background tells: `2 silent, 1 late · Fleet`. */
export function fleetTitle({ counts }: FleetView): string {
  const bad = (['silent', 'late', 'refused'] as const).filter((state) => counts[state] > 0);
  return [bad.map((state) => `${formatCount(counts[state])} ${state}`).join(', '), 'Fleet'].filter(Boolean).join(' · ');
}

/** The fleet page's content around what refreshes. */
export function fleetBody(view: FleetView, now: number, looking: Looking): Markup {
  const { query } = view;
  return html`<div class="title"><h1>Fleet</h1>${liveControls(fleetUrl(query))}${looking.admin && html`<a class="button" href="/add-server">Add a server</a>`}</div>
${view.total > 0 && searchForm(query)}
<div id="live" data-events="fleet">${fleetFragment(view, now, looking)}</div>`;
}

function searchForm(query: FleetQuery): Markup {
  return html`<form class="search" method="get" action="/" role="search" id="search">
<label for="q">Search</label>
<input id="q" name="q" type="search" value="${query.search}" placeholder="Name, host, version or fingerprint" maxlength="200" autocomplete="off" spellcheck="false">
${query.state && html`<input type="hidden" name="state" value="${query.state}">`}
${query.sort !== 'state' && html`<input type="hidden" name="sort" value="${query.sort}">`}
${query.descending && html`<input type="hidden" name="dir" value="desc">`}
<button type="submit">Search</button>
</form>`;
}

/** What of the fleet page refreshes. */
export function fleetFragment(view: FleetView, now: number, looking: Looking): Markup {
  if (view.total === 0) return emptyFleet(looking);
  return html`${countsRow(view)}
${view.found === 0 ? nothingFound(view.query) : html`${fleetTable(view, now)}${pager(view)}`}`;
}

/** The pieces of the fragment that change one by one, by the id of their element. */
export function fleetPieces(view: FleetView, now: number): Map<string, string> {
  const rows = view.lines.map((line): [string, string] => [`row-${line.server.id}`, String(fleetRow(line, now, view.silentAfter))]);
  return new Map([['counts', String(countsRow(view))], ...rows]);
}

function countsRow(view: FleetView): Markup {
  const { query, counts, total, silentAfter } = view;
  const item = (state: Filter | undefined, count: number) =>
    html`<li><a href="${fleetUrl({ ...query, state, page: 1 })}" class="count ${state ?? 'all'}${count === 0 && ' zero'}"${
      query.state === state && html` aria-current="true"`
    } data-soft id="count-${state ?? 'all'}"${state && html` title="${meaningOf(state, silentAfter)}"`}><b>${formatCount(count)}</b> <span>${state && html`<span class="dot" aria-hidden="true"></span>`}${
      state ?? 'all'
    }</span></a></li>`;
  return html`<ul class="counts" id="counts" data-title="${fleetTitle(view)}" aria-label="Servers by state">${[item(undefined, total), ...FILTERS.map((state) => item(state, counts[state]))]}</ul>`;
}

const COLUMNS: [Sort, string, string?][] = [
  ['name', 'Server'],
  ['state', 'State'],
  ['seen', 'Last heartbeat'],
  ['interval', 'Every', 'number'],
  ['version', 'Agent'],
  ['key', 'Key'],
  ['slot', 'Slot'],
  ['age', 'Key age', 'number'],
  ['accepted', 'Accepted', 'number'],
];

function fleetTable({ query, lines, found, total, silentAfter }: FleetView, now: number): Markup {
  const first = (query.page - 1) * PAGE_SIZE + 1;
  const shown =
    found > PAGE_SIZE
      ? `Servers ${first} to ${first + lines.length - 1} of ${formatCount(found)}`
      : `${formatCount(found)} of ${formatCount(total)} servers`;
  return html`<table class="fleet" role="table">
<caption class="quiet">${shown}</caption>
<thead role="rowgroup"><tr role="row">${COLUMNS.map(([sort, label, kind]) => heading(query, sort, label, kind))}</tr></thead>
<tbody role="rowgroup">${lines.map((line) => fleetRow(line, now, silentAfter))}</tbody>
</table>`;
}

function heading(query: FleetQuery, sort: Sort, label: string, kind?: string): Markup {
  const active = query.sort === sort;
  const descending = active && !query.descending;
  const direction = active && (query.descending ? 'descending' : 'ascending');
  const url = fleetUrl({ ...query, sort, descending, page: 1 });
  return html`<th scope="col" role="columnheader"${kind && html` class="${kind}"`}${direction && html` aria-sort="${direction}"`}><a href="${url}" class="sort" data-soft id="sort-${sort}">${label}${
    active && html`<span class="arrow" aria-hidden="true">${query.descending ? '▼' : '▲'}</span>`
  }</a></th>`;
}

function fleetRow({ server, state, since, refused, latest, key, accepted }: FleetLine, now: number, silentAfter: SilentAfter): Markup {
  const marks = html`${refused !== null && html`<small class="bad" title="${meaningOf('refused')}">refused ${ago(refused, now)}</small>`}`;
  return html`<tr role="row" id="row-${server.id}">
<th scope="row" role="rowheader"><a href="${serverUrl(server.name)}" id="server-${server.id}">${server.name}</a>${
    latest && latest.hostName !== server.name && html`<small class="quiet">${latest.hostName}</small>`
  }</th>
<td role="cell">${stateBadge(state, silentAfter)}<small class="quiet">for ${forLong(since, now)}</small> ${marks}</td>
<td role="cell" data-label="heard">${latest ? ago(latest.received, now) : none}</td>
<td role="cell" data-label="every" class="number">${latest ? formatDuration(latest.interval * 1_000) : none}</td>
<td role="cell" data-label="agent">${latest?.agentVersion ?? none}</td>
<td role="cell" data-label="key">${key ? html`<code>${key.fingerprint}</code>` : none}</td>
<td role="cell" data-label="slot">${key ? html`<span class="slot ${key.slot}">${key.slot}</span>` : none}</td>
<td role="cell" data-label="age" class="number">${key && key.createdAt !== null ? forLong(key.createdAt, now) : none}</td>
<td role="cell" data-label="accepted" class="number">${formatCount(accepted)}</td>
</tr>
`;
}

function pager({ query, pages }: FleetView): Markup | '' {
  if (pages === 1) return '';
  const link = (page: number, label: string, id: string) =>
    page >= 1 && page <= pages
      ? html`<a href="${fleetUrl({ ...query, page })}" data-soft id="${id}">${label}</a>`
      : html`<span class="quiet" aria-disabled="true">${label}</span>`;
  return html`<nav class="pager" aria-label="Pages">${link(query.page - 1, 'Previous', 'previous')} <span>Page ${query.page} of ${pages}</span> ${link(query.page + 1, 'Next', 'next')}</nav>`;
}

function nothingFound(query: FleetQuery): Markup {
  const what = query.search
    ? html`No server${query.state && ` that is ${query.state}`} matches <q>${query.search}</q>.`
    : html`No server is ${query.state} now.`;
  return html`<div class="message"><p>${what}</p><p><a href="/" data-soft>Show all servers</a></p></div>`;
}

function emptyFleet({ admin, origin }: Looking): Markup {
  if (!admin)
    return html`<div class="message"><h2>No servers yet</h2><p>An admin adds them here, or <code>scout-hub server add NAME</code> on the machine that runs this hub.</p><p class="quiet">They appear here by themselves.</p></div>`;
  return html`<div class="message">
<h2>No servers yet</h2>
<p>The quickest way is a <a href="/tokens">token</a>: with it the host makes its own key and registers by itself. On the host, as root:</p>
<pre><code>scout-agent enroll ${origin}</code></pre>
<p>Or <a href="/add-server">register a server here</a>, or on the machine that runs this hub; its key is shown once:</p>
<pre><code>scout-hub server add NAME</code></pre>
<p class="quiet">It appears here by itself.</p>
</div>`;
}
