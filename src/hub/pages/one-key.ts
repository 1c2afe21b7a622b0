import { html } from 'hono/html';
import { ScoutError } from '../../support/errors.ts';
import { param } from '../http/requests.ts';
import { changeKey } from '../keys/changes.ts';
import type { Person } from '../people/session.ts';
import { type KeyView, type ServerDetails, showServer } from '../servers.ts';
import { serverUrl } from './fleet-page.ts';
import { ago, type Markup } from './format.ts';
import { crumbs, field, none, postForm } from './parts.ts';
import type { Site } from './site.ts';

/** Mounts the page of one key of a server under `multi`: enable, disable, rename, delete. */
export function mountOneKey(site: Site): void {
  site.on('GET /servers/:name/keys/:key', async (c, hub) => {
    const details = await showServer(hub, param(c, 'name'));
    const key = found(details, param(c, 'key'));
    return site.show(c, { title: `Key ${key.fingerprint}`, section: 'fleet', body: body(details, key, c.get('person'), hub.now()) });
  });

  site.on('POST /servers/:name/keys/:key', async (c, hub) => {
    const { action = '', to = '', force } = c.get('form');
    const [name, key] = [param(c, 'name'), param(c, 'key')];
    const done = (word: string) => site.done(c, serverUrl(name), word);
    if (action === 'rename') {
      await changeKey(hub, name, key, { action, to: to.trim() });
      return done('key-renamed');
    }
    if (action !== 'enable' && action !== 'disable' && action !== 'delete')
      throw new ScoutError('HUB_FORM', { detail: 'nothing was chosen' });
    await changeKey(hub, name, key, { action, force: force === 'yes' });
    return done(`key-${action}d`);
  });
}

function found({ name, keys }: ServerDetails, which: string): KeyView {
  const key = keys.find((one) => one.fingerprint === which);
  if (!key) throw new ScoutError('HUB_KEY_UNKNOWN', { name, key: /^[0-9a-f]{12}$/.test(which) ? which : '…' });
  return key;
}

function body(details: ServerDetails, key: KeyView, person: Person, now: number): Markup {
  const { name, keys, fingerprint } = details;
  const url = `${serverUrl(name)}/keys/${key.fingerprint}`;
  const others = keys.filter((one) => one !== key && one.enabled && (one.valid_until === null || Date.parse(one.valid_until) > now));
  const using = fingerprint === key.fingerprint;
  const shutOut =
    others.length === 0 && key.enabled
      ? html`<p class="warning"><b>It is the last key that works.</b> Without it every agent of ${name} is shut out.</p><label class="choice"><input type="checkbox" name="force" value="yes"> <span>End it nevertheless</span></label>`
      : using
        ? html`<p class="warning"><b>The latest heartbeat came with it.</b> Hosts that hold only this key are shut out; ${others.length} other ${others.length === 1 ? 'key goes' : 'keys go'} on working.</p>`
        : html`<p class="quiet">${others.length} other ${others.length === 1 ? 'key goes' : 'keys go'} on working.</p>`;
  const input = html`<input id="to" name="to" value="${key.name ?? ''}" required maxlength="63" autocomplete="off" spellcheck="false">`;
  const button = (label: string, kind: string) => html`<p class="actions"><button class="${kind}">${label}</button></p>`;
  return html`${crumbs(
    [
      ['/', 'Fleet'],
      [serverUrl(name), name],
    ],
    `Key ${key.fingerprint}`,
  )}
<div class="narrow"><h1>Key <code>${key.fingerprint}</code></h1>
<dl class="facts overview"><div><dt>Server</dt><dd>${name}</dd></div><div><dt>Name</dt><dd>${key.name ?? none}</dd></div><div><dt>Slot</dt><dd>${key.slot}</dd></div><div><dt>State</dt><dd>${key.enabled ? 'enabled' : 'disabled'}</dd></div><div><dt>Last used</dt><dd>${key.last_used === null ? 'never' : ago(Date.parse(key.last_used), now)}</dd></div></dl>
<section class="panel"><h2>Rename</h2>${postForm(person, url, html`${field('to', 'New name', input)}${button('Rename', '')}`, { action: 'rename' })}</section>
${
  key.enabled
    ? html`<section class="panel"><h2>Disable</h2><p>It is refused until it is enabled again.</p>${postForm(person, url, html`${shutOut}${button('Disable', 'danger')}`, { action: 'disable' })}</section>`
    : html`<section class="panel"><h2>Enable</h2><p>It is let in again.</p>${postForm(person, url, button('Enable', 'primary'), { action: 'enable' })}</section>`
}
<section class="panel"><h2>Delete</h2><p>It is refused for good. A key that has ended cannot be brought back.</p>${postForm(person, url, html`${shutOut}${button('Delete', 'danger')}`, { action: 'delete' })}</section></div>`;
}
