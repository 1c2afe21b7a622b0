import { html } from 'hono/html';
import { formatDuration } from '../../support/durations.ts';
import type { KeyView } from '../servers.ts';
import { serverUrl } from './fleet-page.ts';
import { ago, at, forLong, formatCount, left, type Markup } from './format.ts';
import { listTable, none, tag } from './parts.ts';
import type { ServerView } from './server-page.ts';
import type { EndedView } from './server-view.ts';

const MOST_ENDED = 8;
const DAY_MS = 86_400_000;

/** The keys of a server: which of them its heartbeats use, how long the old one still works, and what can be done. */
export function keysSection({ details, ended, admin }: ServerView, now: number): Markup {
  const { name, policy, keys, grace } = details;
  const url = serverUrl(name);
  const multi = policy === 'multi';
  const alive = keys.filter((key) => works(key, now));
  const window = policy === 'grace' ? html`, window ${grace === 0 ? 'none' : formatDuration(grace * 1_000)}` : '';
  const actions = html`<p class="actions"><a class="button primary" href="${url}/rotate">${policy === 'immediate' ? 'Regenerate…' : 'Rotate…'}</a>${
    multi && html`<a class="button" href="${url}/add-key">Add a key…</a>`
  }${alive.some((key) => key.slot === 'previous') && html`<a class="button" href="${url}/retire">Retire the previous key…</a>`}</p>`;
  const head = [
    'Fingerprint',
    ...(multi ? ['Name'] : []),
    'Slot',
    'Age',
    'Last used',
    'Ends',
    ...(multi && admin ? [{ head: 'Change', class: 'actions' as const }] : []),
  ];
  const rows = keys
    .toSorted(bySlot)
    .map((key) => [
      html`<code>${key.fingerprint}</code>`,
      ...(multi ? [html`${key.name ?? none}`] : []),
      html`<span class="slot ${key.slot}">${key.slot}</span>${!key.enabled && html` ${tag('disabled', 'warn')}`}`,
      forLong(Date.parse(key.created), now),
      key.last_used === null ? html`<span class="quiet">never</span>` : ago(Date.parse(key.last_used), now),
      endOf(key, now),
      ...(multi && admin ? [html`<a href="${url}/keys/${key.fingerprint}">Change…</a>`] : []),
    ]);
  return html`<section class="panel" aria-labelledby="keys-title"><div class="title"><h2 id="keys-title">Keys</h2><span class="quiet">policy ${policy}${window}</span></div>
${rows.length > 0 ? listTable(head, rows) : html`<p class="quiet">It has none: it reports with a credential of the organisation.</p>`}
${admin && actions}
${history(ended, now)}
${admin && html`<p><a href="/audit?on=${encodeURIComponent(`server:${name}`)}">What was done to it, in the audit trail</a></p>`}</section>`;
}

/** Whether a key is let in. */
const works = ({ enabled, valid_until }: KeyView, now: number): boolean =>
  enabled && (valid_until === null || Date.parse(valid_until) > now);

const SLOTS = ['current', 'next', 'previous'];
const bySlot = (a: KeyView, b: KeyView): number => SLOTS.indexOf(a.slot) - SLOTS.indexOf(b.slot) || (a.created < b.created ? 1 : -1);

/** Where a rotation stands: whether the latest heartbeats came with the new key, and since when; nothing where none is under way. */
export function rotationBanner({ details }: ServerView, now: number): Markup | '' {
  const { fingerprint, keys, policy } = details;
  const alive = keys.filter((key) => works(key, now));
  const current = alive.find((key) => key.slot === 'current');
  const previous = alive.find((key) => key.slot === 'previous');
  if (!current || fingerprint === null) return '';
  // Under multi several keys may be in use for good: only a new one is worth a word.
  if (policy === 'multi' && now - Date.parse(current.created) > DAY_MS) return '';
  const until = previous?.valid_until ?? null;
  const countdown = until !== null && html` The previous one ends in ${left(Date.parse(until), now)}.`;
  if (current.last_used === null)
    return html`<p class="rotation waiting" role="status"><b>Waiting for the new key.</b> The latest heartbeat came with <code>${fingerprint}</code>; <code>${current.fingerprint}</code>, made ${ago(Date.parse(current.created), now)}, was not used yet.${countdown}</p>`;
  if (!previous) return '';
  const since = previous.last_used === null ? current.created : later(previous.last_used, current.created);
  if (fingerprint !== current.fingerprint)
    return html`<p class="rotation waiting" role="status"><b>Still on another key.</b> The latest heartbeat came with <code>${fingerprint}</code>, not with the current <code>${current.fingerprint}</code>.${countdown}</p>`;
  return html`<p class="rotation done" role="status"><b>New key in use</b> since ${at(Date.parse(since))}: the latest heartbeat came with <code>${fingerprint}</code>.${countdown}</p>`;
}

const later = (a: string, b: string): string => (a > b ? a : b);

function endOf({ valid_until: until }: KeyView, now: number): Markup {
  if (until === null) return html`<span class="quiet">no end</span>`;
  return Date.parse(until) > now ? html`in ${left(Date.parse(until), now)}` : tag('over', 'plain');
}

function history(ended: EndedView[], now: number): Markup | '' {
  if (ended.length === 0) return '';
  return html`<details id="ended-keys" data-open><summary>${formatCount(ended.length)} ended ${ended.length === 1 ? 'key' : 'keys'}</summary>
${listTable(
  ['Fingerprint', 'Ended', 'How'],
  ended.slice(0, MOST_ENDED).map((one) => [html`<code>${one.fingerprint}</code>`, ago(one.endedAt, now), html`${one.how}`]),
)}
${ended.length > MOST_ENDED && html`<p class="quiet">and ${formatCount(ended.length - MOST_ENDED)} earlier</p>`}</details>`;
}
