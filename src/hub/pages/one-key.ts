import { html } from 'hono/html';
import { ScoutError } from '../../support/errors.ts';
import { param } from '../http/requests.ts';
import { changeKey } from '../keys/changes.ts';
import { type KeyView, type Registry, type ServerDetails, showServer } from '../servers.ts';
import { serverUrl } from './fleet-page.ts';
import { Form, FormError, type Sent, submit } from './form.ts';
import { ago, type Markup } from './format.ts';
import { crumbs, none } from './parts.ts';
import type { Handler, PageContext, Shown, Site } from './site.ts';

/** Mounts the page of one key of a server under `multi`: enable, disable, rename, delete. */
export function mountOneKey(site: Site): void {
  const one = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const details = await showServer(hub, param(c, 'name'));
    const key = found(details, param(c, 'key'));
    const url = `${serverUrl(details.name)}/keys/${key.fingerprint}`;
    const form = (action: string) => new Form(c.get('person'), url, sent, action);
    return { title: `Key ${key.fingerprint}`, section: 'fleet', body: body(details, key, form, hub.now()) };
  };
  site.on('GET /servers/:name/keys/:key', async (c, hub) => site.show(c, await one(c, hub)));

  const change: Handler = async (c, hub) => {
    const { action = '', to = '', force } = c.get('form');
    const [name, key] = [param(c, 'name'), param(c, 'key')];
    const done = (word: string) => site.done(c, serverUrl(name), word);
    if (action === 'rename') {
      await changeKey(hub, name, key, { action, to: to.trim() });
      return done('key-renamed');
    }
    if (action !== 'enable' && action !== 'disable' && action !== 'delete') throw new FormError(undefined, 'nothing was chosen');
    await changeKey(hub, name, key, { action, force: force === 'yes' });
    return done(`key-${action}d`);
  };
  site.form('POST /servers/:name/keys/:key', change, one);
}

function found({ name, keys }: ServerDetails, which: string): KeyView {
  const key = keys.find((one) => one.fingerprint === which);
  if (!key) throw new ScoutError('HUB_KEY_UNKNOWN', { name, key: /^[0-9a-f]{12}$/.test(which) ? which : '…' });
  return key;
}

function body(details: ServerDetails, key: KeyView, form: (action: string) => Form, now: number): Markup {
  const { name, keys, fingerprint } = details;
  const rename = form('rename');
  const others = keys.filter((one) => one !== key && one.enabled && (one.valid_until === null || Date.parse(one.valid_until) > now));
  const using = fingerprint === key.fingerprint;
  const shutOut =
    others.length === 0 && key.enabled
      ? html`<p class="warning"><b>It is the last key that works.</b> Without it every agent of ${name} is shut out.</p><label class="choice"><input type="checkbox" name="force" value="yes"> <span>End it nevertheless</span></label>`
      : using
        ? html`<p class="warning"><b>The latest heartbeat came with it.</b> Hosts that hold only this key are shut out; ${others.length} other ${others.length === 1 ? 'key goes' : 'keys go'} on working.</p>`
        : html`<p class="quiet">${others.length} other ${others.length === 1 ? 'key goes' : 'keys go'} on working.</p>`;
  return html`${crumbs(
    [
      ['/', 'Fleet'],
      [serverUrl(name), name],
    ],
    `Key ${key.fingerprint}`,
  )}
<div class="narrow"><h1>Key <code>${key.fingerprint}</code></h1>
<dl class="facts overview"><div><dt>Server</dt><dd>${name}</dd></div><div><dt>Name</dt><dd>${key.name ?? none}</dd></div><div><dt>Slot</dt><dd>${key.slot}</dd></div><div><dt>State</dt><dd>${key.enabled ? 'enabled' : 'disabled'}</dd></div><div><dt>Last used</dt><dd>${key.last_used === null ? 'never' : ago(Date.parse(key.last_used), now)}</dd></div></dl>
<section class="panel"><h2>Rename</h2>${rename.markup(rename.text('to', 'New name', { value: key.name ?? '', with: { required: true, maxlength: 63 } }), submit('Rename', ''))}</section>
${
  key.enabled
    ? html`<section class="panel"><h2>Disable</h2><p>It is refused until it is enabled again.</p>${form('disable').markup(shutOut, submit('Disable', 'danger'))}</section>`
    : html`<section class="panel"><h2>Enable</h2><p>It is let in again.</p>${form('enable').markup(submit('Enable'))}</section>`
}
<section class="panel"><h2>Delete</h2><p>It is refused for good. A key that has ended cannot be brought back.</p>${form('delete').markup(shutOut, submit('Delete', 'danger'))}</section></div>`;
}
