import { X509Certificate } from 'node:crypto';
import { html } from 'hono/html';
import { ScoutError } from '../../support/errors.ts';
import { createToken, listTokens, revokeToken, type TokenView } from '../enrol/tokens.ts';
import type { Hub } from '../hub.ts';
import type { Person } from '../people/session.ts';
import type { Policy } from '../store/store.ts';
import { serverUrl } from './fleet-page.ts';
import { ago, left, type Markup } from './format.ts';
import { choices, field, listTable, none, postForm, tag } from './parts.ts';
import { windowOf } from './rotate.ts';
import { shownOnce } from './shown-once.ts';
import type { Site } from './site.ts';

const POLICIES: Policy[] = ['grace', 'immediate', 'multi'];

/** Mounts tokens: listed, made and revoked. */
export function mountTokens(site: Site): void {
  site.on('GET /tokens', async (c, hub) => {
    const all = await listTokens(hub);
    return site.show(c, { title: 'Enrolment', section: 'tokens', body: listBody(all, c.get('person'), hub.now()) });
  });
  site.on('POST /tokens', async (c, hub) => {
    const form = c.get('form');
    if (form.action === 'revoke') {
      await revokeToken(hub, form.token ?? '');
      return site.done(c, '/tokens', 'token-revoked');
    }
    const [latest] = await listTokens(hub);
    // The same form sent again, as by a reload, makes no second token.
    if ((latest?.fingerprint ?? '') !== form.latest)
      throw new ScoutError('HUB_FORM', { detail: 'another token was made since this page was opened, perhaps by this very form' });
    const lifeMs = windowOf(form.expires ?? '1h');
    if (lifeMs === 0) throw new ScoutError('HUB_FORM', { detail: 'the token would end at once' });
    const policy = POLICIES.find((one) => one === form.policy) ?? 'grace';
    const wanted = {
      server: (form.server ?? '').trim(),
      policy,
      graceMs: windowOf(form.grace ?? '24h'),
      lifeMs,
      authority: printOf(site.hub),
    };
    const made = await createToken(hub, wanted);
    const body = shownOnce({
      heading: `Token for ${made.server}`,
      label: 'The token',
      secret: made.token,
      fingerprint: made.fingerprint,
      facts: [
        html`It works once, until <time datetime="${made.expires}">${made.expires.slice(0, 19).replace('T', ' ')} UTC</time>.`,
        ...(made.known ? [`${made.server} is registered already: its own policy says what becomes of the keys that it has.`] : []),
        ...(wanted.authority === null ? [] : ['It also tells the host which certificate authority to trust.']),
      ],
      steps: stepsOf(`https://${c.req.header('host') ?? 'ADDRESS-OF-THIS-HUB'}`),
      next: ['/tokens', 'To the tokens'],
    });
    return site.show(c, { title: 'Token', section: 'tokens', body });
  });
}

/** SHA-256 of the certificate of the hub's own authority, hex; null where it serves by another. */
function printOf({ authority }: Hub): string | null {
  const pem = authority?.();
  return pem === undefined ? null : new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
}

function stepsOf(origin: string): Markup {
  return html`<ol class="steps"><li>On the new host, as root:
<pre><code>scout-agent enroll ${origin}</code></pre></li>
<li>Paste the token when it asks. The host makes its own key, registers it, and starts the agent.</li>
<li>The server appears in the fleet by itself.</li></ol>`;
}

const STATES: Record<TokenView['state'], Markup> = { open: tag('open', 'good'), used: tag('used'), expired: tag('expired', 'warn') };

function listBody(all: TokenView[], person: Person, now: number): Markup {
  const rows = all.map((one) => [
    one.state === 'used' ? html`<a href="${serverUrl(one.server)}">${one.server}</a>` : html`${one.server}`,
    html`<code>${one.fingerprint}</code>`,
    STATES[one.state],
    ago(Date.parse(one.created), now),
    one.state === 'open' ? html`in ${left(Date.parse(one.expires), now)}` : none,
    one.used === null ? none : html`${ago(Date.parse(one.used), now)}, key <code>${one.used_for}</code>`,
    one.state === 'open' ? revokeForm(person, one) : html``,
  ]);
  const head = ['For', 'Token', 'State', 'Made', 'Ends', 'Used', { head: 'Change', class: 'actions' as const }];
  return html`<div class="title"><h1>Enrolment</h1></div>
<p class="lead">A token lets one new host in, once: it makes its own key and registers it under the name that stands here.</p>
${rows.length === 0 ? html`<div class="message"><p>No token yet.</p></div>` : listTable(head, rows)}
${addForm(person, all[0]?.fingerprint ?? '')}`;
}

function revokeForm(person: Person, { fingerprint, server }: TokenView): Markup {
  const button = html`<input type="hidden" name="token" value="${fingerprint}"><button class="small">Revoke<span class="hidden"> the token for ${server}</span></button>`;
  return postForm(person, '/tokens', button, { action: 'revoke', class: 'inline' });
}

function addForm(person: Person, latest: string): Markup {
  const duration = (id: string, value: string) =>
    html`<input id="${id}" name="${id}" value="${value}" size="8" required autocomplete="off">`;
  return html`<section class="panel form-panel" aria-labelledby="add-title"><h2 id="add-title">Make a token</h2>
${postForm(
  person,
  '/tokens',
  html`<input type="hidden" name="latest" value="${latest}"><div class="form-columns"><div>${field('server', 'For the server', html`<input id="server" name="server" required maxlength="128" autocomplete="off" spellcheck="false" autocapitalize="none">`)}
${field('expires', 'Good for', duration('expires', '1h'))}</div>
<div>${choices(
    'policy',
    'Policy of a server that is new',
    POLICIES.map((one) => [one, one] as [string, string]),
    'grace',
  )}
${field('grace', 'Window of grace', duration('grace', '24h'))}</div></div>
<p class="actions"><button class="primary">Make the token</button></p>`,
)}</section>`;
}
