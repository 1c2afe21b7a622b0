import { X509Certificate } from 'node:crypto';
import { html } from 'hono/html';
import { createToken, listTokens, revokeToken, type TokenView } from '../enrol/tokens.ts';
import type { Hub } from '../hub.ts';
import type { Person } from '../people/session.ts';
import type { Registry } from '../servers.ts';
import type { Policy } from '../store/store.ts';
import { serverUrl } from './fleet-page.ts';
import { Form, FormError, type Sent, submit } from './form.ts';
import { ago, at, left, type Markup } from './format.ts';
import { csrf, listTable, none, tag } from './parts.ts';
import { windowOf } from './rotate.ts';
import { shownOnce } from './shown-once.ts';
import { type Handler, originOf, type PageContext, type Shown, type Site } from './site.ts';

const POLICIES: Policy[] = ['grace', 'immediate', 'multi'];

/** Mounts tokens: listed, made and revoked. */
export function mountTokens(site: Site): void {
  const list = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const all = await listTokens(hub);
    return { title: 'Enrolment', section: 'tokens', body: listBody(all, c.get('person'), hub.now(), sent) };
  };
  site.on('GET /tokens', async (c, hub) => site.show(c, await list(c, hub)));
  const make: Handler = async (c, hub) => {
    const form = c.get('form');
    if (form.action === 'revoke') {
      await revokeToken(hub, form.token ?? '');
      return site.done(c, '/tokens', 'token-revoked');
    }
    const [latest] = await listTokens(hub);
    // The same form sent again, as by a reload, makes no second token.
    if ((latest?.fingerprint ?? '') !== form.latest)
      throw new FormError(undefined, 'another token was made since this page was opened, perhaps by this very form');
    const lifeMs = windowOf(form.expires ?? '1h', 'expires');
    if (lifeMs === 0) throw new FormError('expires', 'the token would end at once');
    const policy = POLICIES.find((one) => one === form.policy) ?? 'grace';
    const wanted = {
      server: (form.server ?? '').trim(),
      policy,
      graceMs: windowOf(form.grace ?? '24h', 'grace'),
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
        html`It works once, until ${at(Date.parse(made.expires))}.`,
        ...(made.known ? [`${made.server} is registered already: its own policy says what becomes of the keys that it has.`] : []),
        ...(wanted.authority === null ? [] : ['It also tells the host which certificate authority to trust.']),
      ],
      steps: stepsOf(originOf(c)),
      next: ['/tokens', 'To the tokens'],
    });
    return site.show(c, { title: 'Token', section: 'tokens', body });
  };
  site.form('POST /tokens', make, list);
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

function listBody(all: TokenView[], person: Person, now: number, sent?: Sent): Markup {
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
${addForm(new Form(person, '/tokens', sent), all[0]?.fingerprint ?? '')}`;
}

function revokeForm(person: Person, { fingerprint, server }: TokenView): Markup {
  return html`<form method="post" action="/tokens" class="inline">${csrf(person)}<input type="hidden" name="action" value="revoke"><input type="hidden" name="token" value="${fingerprint}"><button class="small">Revoke<span class="hidden"> the token for ${server}</span></button></form>`;
}

function addForm(form: Form, latest: string): Markup {
  const duration = { required: true, size: 8 } as const;
  const policies = POLICIES.map((one) => [one, one] as [string, string]);
  return html`<section class="panel form-panel" aria-labelledby="add-title"><h2 id="add-title">Make a token</h2>
${form.markup(
  html`<input type="hidden" name="latest" value="${latest}"><div class="form-columns"><div>${form.text('server', 'For the server', { with: { required: true, maxlength: 128 } })}
${form.text('expires', 'Good for', { value: '1h', with: duration })}</div>
<div>${form.choices('policy', 'Policy of a server that is new', policies, 'grace')}
${form.text('grace', 'Window of grace', { value: '24h', with: duration })}</div></div>`,
  submit('Make the token'),
)}</section>`;
}
