import { html } from 'hono/html';
import { auditLines } from '../audit/audit.ts';
import type { Registry } from '../servers.ts';
import type { AuditLine } from '../store/store.ts';
import { type AuditFilter, type AuditView, viewAudit } from './audit-view.ts';
import { serverUrl } from './fleet-page.ts';
import { at as exactly, formatCount, type Markup } from './format.ts';
import { listTable, none } from './parts.ts';
import type { Site } from './site.ts';

const PART_MOST = 200;

/** Mounts the audit trail: paged, narrowed down, verified, and as a file. */
export function mountAudit(site: Site): void {
  site.on('GET /audit', async (c, hub) => {
    const part = (name: string) => (c.req.query(name) ?? '').trim().slice(0, PART_MOST);
    const filter = { who: part('who'), what: part('what'), on: part('on') };
    const before = Number.parseInt(c.req.query('before') ?? '', 10);
    const verify = c.req.query('verify') === '1';
    const view = await viewAudit(hub.store, hub.org, filter, Number.isSafeInteger(before) ? before : undefined, verify);
    return site.show(c, { title: 'Audit', section: 'audit', body: body(view) });
  });

  site.on('GET /audit/export', (c, hub) => {
    c.header('content-type', 'application/json; charset=utf-8');
    c.header('content-disposition', `attachment; filename="audit-${new Date(hub.now()).toISOString().slice(0, 10)}.json"`);
    return c.body(ReadableStream.from(exported(hub)));
  });
}

/** As `scout-hub audit list --json` prints it, so that `scout-hub audit verify --file` checks it anywhere. */
async function* exported(hub: Registry): AsyncGenerator<Uint8Array> {
  let between = '[\n';
  for await (const line of auditLines(hub.store, hub.org)) {
    yield Buffer.from(`${between}${JSON.stringify(line)}`);
    between = ',\n';
  }
  yield Buffer.from(between === '[\n' ? '[]\n' : '\n]\n');
}

function url({ who, what, on }: AuditFilter, more: Record<string, string> = {}): string {
  const params = new URLSearchParams(Object.entries({ who, what, on, ...more }).filter(([, value]) => value !== ''));
  const text = params.toString();
  return text ? `/audit?${text}` : '/audit';
}

function body(view: AuditView): Markup {
  const { filter, lines, last, before } = view;
  const narrowed = filter.who || filter.what || filter.on;
  const text = (id: 'who' | 'what' | 'on', label: string, placeholder: string) =>
    html`<div class="field"><label for="${id}">${label}</label><input id="${id}" name="${id}" value="${filter[id]}" placeholder="${placeholder}" maxlength="${PART_MOST}" autocomplete="off" spellcheck="false"></div>`;
  return html`<div class="title"><h1>Audit</h1><a class="button" href="/audit/export">Export</a></div>
${chainText(view)}
<form class="filter" method="get" action="/audit" role="search">${text('who', 'Who', 'user:ada')}${text('what', 'What', 'key.rotate')}${text('on', 'On', 'server:web-1')}<button type="submit">Filter</button>${narrowed && html`<a href="/audit">Show all</a>`}</form>
${
  lines.length === 0
    ? html`<div class="message"><p>${last === 0 ? 'Nothing was changed yet.' : before === undefined ? 'No line fits.' : 'No line fits so far.'}</p></div>`
    : listTable(['Line', 'When', 'Who', 'What', 'On', 'Detail'], lines.map(rowOf), { class: 'list audit' })
}
${before !== undefined && html`<nav class="pager" aria-label="Pages"><a href="${url(filter, { before: String(before) })}">Earlier lines</a></nav>`}`;
}

function chainText({ chain, last, filter }: AuditView): Markup {
  if (!chain)
    return html`<p class="chain quiet">${formatCount(last)} lines. <a href="${url(filter, { verify: '1' })}">Verify the whole chain</a></p>`;
  if (!chain.ok) return html`<p class="problem" role="alert"><b>The chain is broken:</b> ${chain.message}.</p>`;
  if (chain.verified.last === null) return html`<p class="chain quiet">No line yet.</p>`;
  return html`<p class="chain"><span class="tag good">verified</span> ${formatCount(chain.verified.lines)} ${chain.verified.lines === 1 ? 'line' : 'lines'}, each as it was written. The last has the hash <code>${chain.verified.last}</code>; kept elsewhere, it tells whether lines are missing at the end.</p>`;
}

function rowOf(line: AuditLine): Markup[] {
  const { seq, at, actor, action, subject, detail, address } = line;
  const facts = Object.entries({ ...detail, ...(address !== null && { from: address }) });
  // A line that somebody edited may hold anything, also what is no time.
  const time = Number.isFinite(at) && Math.abs(at) <= 8.64e15 ? exactly(at) : none;
  return [
    html`${formatCount(seq)}`,
    time,
    html`${actor}`,
    html`<code>${action}</code>`,
    subjectOf(String(subject)),
    html`<span class="details">${facts.map(([name, value]) => html`<span><span class="quiet">${name}</span> ${String(value)}</span> `)}</span>`,
  ];
}

function subjectOf(subject: string): Markup {
  const server = /^server:(.+)$/.exec(subject)?.[1];
  return server === undefined ? html`${subject}` : html`<a href="${serverUrl(server)}">${subject}</a>`;
}
