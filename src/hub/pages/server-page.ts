import { html } from 'hono/html';
import { formatDuration } from '../../support/durations.ts';
import type { ServerDetails } from '../servers.ts';
import type { SilentAfter } from '../silence.ts';
import type { Chart } from './charts.ts';
import { type Looking, serverUrl, stateBadge } from './fleet-page.ts';
import { ago, forLong, formatCount, type Markup } from './format.ts';
import { keysSection, rotationBanner } from './key-section.ts';
import { liveControls } from './layout.ts';
import { crumbs } from './parts.ts';
import type { Range } from './ranges.ts';
import { chartsSection } from './server-charts.ts';
import { deliverySection, factsSection, fileSystemsSection, processesSection, refusedSection } from './server-sections.ts';
import type { EndedView } from './server-view.ts';
import type { Snapshot } from './snapshot.ts';
import { troubleBanner } from './trouble.ts';

const APART_MS = 60_000;

export interface ServerView extends Looking {
  details: ServerDetails;
  inventory: Record<string, string | number | boolean>;
  /** Keys that are no more, the latest first. */
  ended: EndedView[];
  refusedAt: number | null;
  /** Changes when the page is to be fetched at once (server-mark.ts). */
  mark: string;
  /** When it counts as silent. */
  silentAfter: SilentAfter | undefined;
  snapshot: Snapshot;
  charts: Chart[];
  range: Range;
  /** Also charts of each core and device. */
  detail: boolean;
  /** Bounds of the charts, ms. */
  from: number;
  to: number;
}

/** The server page's content around what refreshes. */
export function serverBody(view: ServerView, now: number): Markup {
  const { details, range, detail } = view;
  return html`${crumbs([['/', 'Fleet']], details.name)}
<div class="title"><h1>${details.name}</h1>${liveControls(`${serverUrl(details.name)}?range=${range}${detail ? '&detail=1' : ''}`)}</div>
<div id="live" data-events="server" data-name="${details.name}">${serverFragment(view, now)}</div>`;
}

/** What the window's title says: `silent · web-1`. */
export const serverTitle = ({ details: { state, name } }: ServerView): string =>
  state === 'silent' || state === 'late' ? `${state} · ${name}` : name;

/** What of the server page refreshes. */
export function serverFragment(view: ServerView, now: number): Markup {
  const { details, snapshot } = view;
  return html`<data id="mark" value="${view.mark}" data-title="${serverTitle(view)}"></data>${overview(view, now)}
${troubleBanner(view, now)}${rotationBanner(view, now)}
${details.state === 'never' ? neverSeen(view) : chartsSection(view)}
<div class="columns">
<div>
${keysSection(view, now)}
${fileSystemsSection(snapshot.fileSystems)}
${processesSection(snapshot.processes)}
</div>
<div>
${deliverySection(details)}
${refusedSection(details, view.refusedAt, now)}
${factsSection(view.inventory)}
</div>
</div>`;
}

function overview({ details, admin, silentAfter }: ServerView, now: number): Markup {
  const fact = (name: string, value: Markup | string) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const at = (text: string) => ago(Date.parse(text), now);
  return html`<dl class="facts overview">
${fact('State', html`${stateBadge(details.state, silentAfter)} <small class="quiet">for ${forLong(Date.parse(details.since), now)}</small>`)}
${fact('Last heartbeat', details.last_received ? at(details.last_received) : 'none yet')}
${details.last_sampled !== null && isApart(details) && fact('Sampled', at(details.last_sampled))}
${details.interval !== null && fact('Every', formatDuration(details.interval * 1_000))}
${details.host_name !== null && fact('Host name', details.host_name)}
${details.agent_version !== null && fact('Agent', details.agent_version)}
${details.fingerprint !== null && fact('Key', html`<code>${details.fingerprint}</code> <span class="slot ${details.slot}">${details.slot}</span>`)}
${fact('Accepted', formatCount(details.accepted))}
${fact('Registered', at(details.created))}
${admin && html`<div class="apart"><dt class="hidden">Change</dt><dd><a class="button" href="${serverUrl(details.name)}/settings">Policy, removal</a></dd></div>`}
</dl>`;
}

/** Whether the latest heartbeat is worth a second time: it waited in an outbox, or the host's clock is wrong. */
function isApart({ last_received, last_sampled }: ServerDetails): boolean {
  return Math.abs(Date.parse(last_received ?? '') - Date.parse(last_sampled ?? '')) > APART_MS;
}

function neverSeen({ details: { name }, origin }: ServerView): Markup {
  return html`<div class="message"><h2>No heartbeat yet</h2>
<p>Put the key that was shown when ${name} was registered, and this hub’s address <code>${origin}</code>, into the agent’s configuration on the server, then:</p>
<pre><code>scout-agent --check-config --online
systemctl start scout-agent</code></pre></div>`;
}
