import { html } from 'hono/html';
import type { Registry } from '../servers.ts';
import { keyView } from '../servers.ts';
import { serverUrl } from './fleet-page.ts';
import { ago, forLong, formatCount, left, type Markup } from './format.ts';
import { listTable, none, tag } from './parts.ts';
import type { Site } from './site.ts';

const PAGE_SIZE = 100;
const DAY_MS = 86_400_000;
/** Ages that one asks for, in days. */
const AGES = [30, 90, 365];

/** Mounts the page of every server's keys, the oldest first: what is due for a rotation stands at its top. */
export function mountKeysPage(site: Site): void {
  site.on('GET /keys', async (c, hub) => {
    const days = AGES.find((one) => String(one) === c.req.query('older')) ?? 0;
    const page = Math.max(1, Number.parseInt(c.req.query('page') ?? '1', 10) || 1);
    return site.show(c, { title: 'Keys', section: 'keys', body: await body(hub, days, page) });
  });
}

async function body(hub: Registry, days: number, wanted: number): Promise<Markup> {
  const now = hub.now();
  const [keys, servers] = [await hub.store.keysOf(hub.org), await hub.store.servers(hub.org)];
  const byId = new Map(servers.map((server) => [server.id, server]));
  const older = (least: number) => keys.filter((key) => now - key.createdAt >= least * DAY_MS);
  const found = older(days);
  const pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
  const page = Math.min(wanted, pages);
  const rows = found.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE).map((row) => {
    const key = keyView(row);
    const server = byId.get(row.serverId);
    return [
      html`<a href="${serverUrl(server?.name ?? '')}">${server?.name ?? ''}</a>`,
      html`<code>${key.fingerprint}</code>${key.name && html` <small class="quiet">${key.name}</small>`}`,
      html`<span class="slot ${key.slot}">${key.slot}</span>${!key.enabled && html` ${tag('disabled', 'warn')}`}`,
      forLong(row.createdAt, now),
      row.lastUsed === null ? html`<span class="quiet">never</span>` : ago(row.lastUsed, now),
      row.validUntil === null ? none : row.validUntil > now ? html`in ${left(row.validUntil, now)}` : tag('over'),
      html`${server?.policy ?? ''}`,
    ];
  });
  const url = (one: number, at = 1) =>
    `/keys${one || at > 1 ? '?' : ''}${[one ? `older=${one}` : '', at > 1 ? `page=${at}` : ''].filter(Boolean).join('&')}`;
  const choice = (one: number, label: string) =>
    html`<li><a class="count" href="${url(one)}"${one === days && html` aria-current="true"`}><b>${formatCount(older(one).length)}</b> <span>${label}</span></a></li>`;
  return html`<div class="title"><h1>Keys</h1></div>
<ul class="counts four" aria-label="Keys by age">${choice(0, 'all')}${AGES.map((one) => choice(one, `older than ${one} days`))}</ul>
${rows.length === 0 ? html`<div class="message"><p>No key is ${days ? `older than ${days} days` : 'there yet'}.</p></div>` : listTable(['Server', 'Key', 'Slot', 'Age', 'Last used', 'Ends', 'Policy'], rows)}
${pages > 1 && html`<nav class="pager" aria-label="Pages">${page > 1 ? html`<a href="${url(days, page - 1)}">Previous</a>` : html`<span class="quiet">Previous</span>`} <span>Page ${page} of ${pages}</span> ${page < pages ? html`<a href="${url(days, page + 1)}">Next</a>` : html`<span class="quiet">Next</span>`}</nav>`}`;
}
