import { html } from 'hono/html';
import { ScoutError } from '../../support/errors.ts';
import {
  addCredential,
  type CredentialView,
  deleteCredential,
  enableCredential,
  listCredentials,
  renameCredential,
} from '../credentials/credentials.ts';
import { parsePublicKey } from '../credentials/public-key.ts';
import { param } from '../http/requests.ts';
import { ROLE_SCOPES } from '../http/scopes.ts';
import type { Person } from '../people/session.ts';
import type { Registry } from '../servers.ts';
import type { FleetRow, Scope } from '../store/store.ts';
import { serverUrl } from './fleet-page.ts';
import { Form, FormError, type Sent, submit } from './form.ts';
import { ago, forLong, formatCount, left, type Markup } from './format.ts';
import { liveControls } from './layout.ts';
import { crumbs, listTable, none, tag } from './parts.ts';
import { windowOf } from './rotate.ts';
import { shownOnce } from './shown-once.ts';
import type { Handler, PageContext, Shown, Site } from './site.ts';

const SCOPES: Record<Scope, string> = {
  heartbeats: 'send heartbeats, as any host of the organisation',
  fleet: 'read the fleet',
  keys: 'replace itself, and servers’ keys and tokens',
  admin: 'everything, credentials and people too',
};

/** Mounts the credentials of the organisation: listed, made, switched on and off, renamed, deleted. */
export function mountCredentials(site: Site): void {
  site.on('GET /credentials', async (c, hub) => {
    const [all, users] = [await listCredentials(hub), usersOf(await hub.store.fleet(hub.org))];
    const person = c.get('person');
    const table = listTableOf(all, users, person.role === 'admin', hub.now());
    if (c.req.header('x-scout-fragment')) return c.html(table);
    return site.show(c, { title: 'Credentials', section: 'credentials', body: listBody(table, person) });
  });
  const again = async (c: PageContext, hub: Registry, sent: Sent): Promise<Shown> => {
    const table = listTableOf(await listCredentials(hub), usersOf(await hub.store.fleet(hub.org)), true, hub.now());
    return { title: 'Credentials', section: 'credentials', body: listBody(table, c.get('person'), sent) };
  };
  const add: Handler = async (c, hub) => {
    const form = c.get('form');
    const kind = form.kind === 'pair' || form.kind === 'api-key' ? form.kind : 'upload';
    const role = form.role === 'admin' ? 'admin' : 'member';
    const made = await addCredential(hub, {
      name: (form.name ?? '').trim(),
      key: kind === 'upload' ? parsePublicKey(form.public_key ?? '', 'what was pasted') : kind,
      role,
      scopes: ROLE_SCOPES[role].filter((scope) => form[`scope-${scope}`] === 'yes'),
      ...(form.expires?.trim() && { lifeMs: lifeOf(form.expires.trim()) }),
    });
    if (made.key === undefined) return site.done(c, '/credentials', 'credential-added');
    const body = shownOnce({
      heading: `${kind === 'pair' ? 'Private key' : 'API key'} of ${made.name}`,
      label: kind === 'pair' ? 'The private key (base64url of PKCS#8)' : 'The API key',
      secret: made.key,
      fingerprint: made.fingerprint,
      facts: [
        html`It is let in as ${made.role}: ${made.scopes.join(', ') || 'nothing'}.`,
        ...(kind === 'pair'
          ? [html`Credential id: <code>${made.credential_id}</code>`, html`Key id (kid): <code>${made.kid ?? ''}</code>`]
          : []),
      ],
      steps: stepsOf(kind, made.credential_id),
      next: ['/credentials', 'To the credentials'],
    });
    return site.show(c, { title: 'Its key', section: 'credentials', body });
  };
  site.form('POST /credentials', add, again);

  const onePage = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const one = await found(hub, param(c, 'id'));
    const users = usersOf(await hub.store.fleet(hub.org)).get(one.fingerprint) ?? [];
    const form = (action: string) => new Form(c.get('person'), `/credentials/${one.credential_id}`, sent, action);
    return { title: one.name, section: 'credentials', body: oneBody(one, users, form, hub.now()) };
  };
  site.on('GET /credentials/:id', async (c, hub) => site.show(c, await onePage(c, hub)));
  const change: Handler = async (c, hub) => {
    const { name } = await found(hub, param(c, 'id'));
    const { action, to = '' } = c.get('form');
    if (action === 'enable' || action === 'disable') await enableCredential(hub, name, action === 'enable');
    else if (action === 'rename') await renameCredential(hub, name, to.trim());
    else if (action === 'delete') await deleteCredential(hub, name);
    else throw new FormError(undefined, 'nothing was chosen');
    return site.done(c, '/credentials', `credential-${action}d`);
  };
  site.form('POST /credentials/:id', change, onePage);
}

function lifeOf(text: string): number {
  const ms = windowOf(text, 'expires');
  if (ms === 0) throw new FormError('expires', 'it would end at once');
  return ms;
}

async function found(hub: Registry, id: string): Promise<CredentialView> {
  const one = (await listCredentials(hub)).find((credential) => credential.credential_id === id);
  if (!one) throw new ScoutError('HUB_CREDENTIAL_UNKNOWN', { name: '…' });
  return one;
}

const isOver = ({ expires }: CredentialView, now: number): boolean => expires !== null && Date.parse(expires) <= now;

function stateOf(one: CredentialView, now: number): Markup {
  if (!one.enabled) return tag('disabled', 'warn');
  return isOver(one, now) ? tag('expired', 'bad') : tag('enabled', 'good');
}

/** Names of the servers whose latest heartbeat came with a key or credential, by its fingerprint. */
export function usersOf(rows: FleetRow[]): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { server, key } of rows) {
    if (!key) continue;
    const names = users.get(key.fingerprint);
    if (names) names.push(server.name);
    else users.set(key.fingerprint, [server.name]);
  }
  return users;
}

const usedText = ({ last_used: used }: CredentialView, now: number): Markup =>
  used === null ? html`<span class="quiet">never</span>` : ago(Date.parse(used), now);

function listTableOf(all: CredentialView[], users: Map<string, string[]>, admin: boolean, now: number): Markup {
  if (all.length === 0) return html`<div class="message"><p>No credential yet.</p></div>`;
  const rows = all.map((one) => {
    const servers = users.get(one.fingerprint)?.length ?? 0;
    return [
      admin ? html`<a href="/credentials/${one.credential_id}" id="credential-${one.credential_id}">${one.name}</a>` : html`${one.name}`,
      html`<code>${one.fingerprint}</code>`,
      html`${one.kid === null ? 'API key' : 'key pair'}`,
      html`${one.role}`,
      html`${one.scopes.join(', ') || none}`,
      stateOf(one, now),
      forLong(Date.parse(one.created), now),
      endText(one, now),
      usedText(one, now),
      servers === 0 ? none : html`<a href="/?q=${one.fingerprint}">${formatCount(servers)}</a>`,
    ];
  });
  const columns = [
    'Name',
    'Fingerprint',
    'Kind',
    'Role',
    'May',
    'State',
    'Age',
    'Ends',
    'Last used',
    { head: 'Servers', class: 'number' as const },
  ];
  return listTable(columns, rows);
}

function endText(one: CredentialView, now: number): Markup {
  if (one.expires === null) return html`<span class="quiet">no end</span>`;
  return isOver(one, now) ? ago(Date.parse(one.expires), now) : html`in ${left(Date.parse(one.expires), now)}`;
}

function listBody(table: Markup, person: Person, sent?: Sent): Markup {
  return html`<div class="title"><h1>Credentials</h1>${liveControls('/credentials')}</div>
<p class="lead">A credential stands for the organisation: any host may report with it, and scripts read and change what its scopes allow. To replace one, make <code>NAME-v2</code>, switch the hosts over, watch here how many servers report with which, disable the old one, and delete it when nothing asks for it.</p>
<div id="live" data-events="credentials">${table}</div>
${person.role === 'admin' && addForm(new Form(person, '/credentials', sent))}`;
}

function addForm(form: Form): Markup {
  const kinds = form.choices(
    'kind',
    'Key',
    [
      ['pair', 'Make a key pair here', 'RSA of 3072 bits; the private half is shown once'],
      ['api-key', 'Make an API key here', 'one text that any host may hold; shown once'],
      ['upload', 'Take a public key', 'best: the private half never leaves the host'],
    ],
    'upload',
  );
  const roles = form.choices(
    'role',
    'Role',
    [
      ['member', 'Member'],
      ['admin', 'Admin'],
    ],
    'member',
  );
  const scopes = Object.entries(SCOPES).map(([scope, meaning]) =>
    form.check(`scope-${scope}`, scope, `${meaning}${scope === 'admin' ? ' (role admin only)' : ''}`, scope !== 'admin'),
  );
  const pem = html`PEM or base64url of the DER, as <code>openssl pkey -in key.pem -pubout</code> prints it.`;
  const life = { with: { size: 8, placeholder: '365d' }, hint: 'Left empty, it has no end.' } as const;
  return html`<section class="panel form-panel" aria-labelledby="add-title"><h2 id="add-title">Add a credential</h2>
${form.markup(
  html`<div class="form-columns"><div>${form.text('name', 'Name', { with: { required: true, maxlength: 64 } })}
${kinds}
${form.area('public_key', 'Public key', { hint: pem, with: { rows: 5 } })}</div>
<div>${roles}
<fieldset><legend>May</legend>${scopes}</fieldset>
${form.text('expires', 'Ends after', life)}</div></div>`,
  submit('Add it'),
)}</section>`;
}

function oneBody(one: CredentialView, servers: string[], form: (action: string) => Form, now: number): Markup {
  const rename = form('rename');
  const fact = (name: string, value: Markup | string) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const lately =
    one.last_used !== null &&
    html`<p class="warning"><b>Last used ${usedText(one, now)}.</b> Whoever still holds only this is refused from the next request on (401).</p>`;
  return html`${crumbs([['/credentials', 'Credentials']], one.name)}
<div class="narrow"><h1>${one.name}</h1>
<dl class="facts overview">${fact('State', stateOf(one, now))}${fact('Fingerprint', html`<code>${one.fingerprint}</code>`)}${fact('Kind', one.kid === null ? 'API key' : 'key pair')}${fact('Role', one.role)}${fact('May', one.scopes.join(', ') || none)}${fact('Last used', usedText(one, now))}${fact('Credential id', html`<code>${one.credential_id}</code>`)}${one.kid !== null && fact('Key id (kid)', html`<code>${one.kid}</code>`)}</dl>
${serversText(one, servers)}
${
  one.enabled
    ? html`<section class="panel"><h2>Disable</h2>${lately}<p>It is refused until it is enabled again.</p>${form('disable').markup(submit('Disable', 'danger'))}</section>`
    : html`<section class="panel"><h2>Enable</h2><p>It is let in again.</p>${form('enable').markup(submit('Enable'))}</section>`
}
<section class="panel"><h2>Rename</h2>${rename.markup(rename.text('to', 'New name', { value: one.name, with: { required: true, maxlength: 64 } }), submit('Rename', ''))}</section>
<section class="panel"><h2>Delete</h2>${one.enabled && lately}<p>It cannot be brought back. Disable it first and watch for refusals, where anything may still hold it.</p>${form('delete').markup(submit(`Delete ${one.name}`, 'danger'))}</section></div>`;
}

const MOST_NAMED = 20;

/** Which servers report with it: those would be shut out. */
function serversText({ fingerprint }: CredentialView, servers: string[]): Markup {
  if (servers.length === 0) return html`<p class="quiet">No server’s latest heartbeat came with it.</p>`;
  const named = servers.slice(0, MOST_NAMED).map((name) => html`<a href="${serverUrl(name)}">${name}</a> `);
  const more = servers.length > MOST_NAMED && html`<a href="/?q=${fingerprint}">and ${formatCount(servers.length - MOST_NAMED)} more</a>`;
  return html`<p>The latest heartbeat of ${formatCount(servers.length)} ${servers.length === 1 ? 'server' : 'servers'} came with it: ${named}${more}</p>`;
}

function stepsOf(kind: 'pair' | 'api-key' | 'upload', id: string): Markup {
  if (kind === 'pair')
    return html`<ol class="steps"><li>On each host, as root, start this and paste the key when it asks:
<pre><code>scout-agent rotate --new-key-stdin --credential-id ${id}</code></pre></li>
<li>Keep the key in your secrets manager, and nowhere else.</li><li>The credentials’ page says when it was used first.</li></ol>`;
  return html`<ol class="steps"><li>On each host, as root, start this and paste the key when it asks:
<pre><code>scout-agent rotate --new-key-stdin</code></pre></li><li>The credentials’ page says when it was used first; disable the old one then.</li></ol>`;
}
