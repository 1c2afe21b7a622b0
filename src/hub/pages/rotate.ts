import { html } from 'hono/html';
import { formatDuration, parseDuration } from '../../support/durations.ts';
import { param } from '../http/requests.ts';
import { addKey, type Fate, retireKeys, rotateKey, standingOf } from '../keys/changes.ts';
import { type Registry, type ServerDetails, showServer } from '../servers.ts';
import { serverUrl } from './fleet-page.ts';
import { Form, FormError, type Sent, submit } from './form.ts';
import { ago, at, type Markup } from './format.ts';
import { crumbs, listTable } from './parts.ts';
import { shownOnce } from './shown-once.ts';
import type { Handler, PageContext, Shown, Site } from './site.ts';

const DAY_MS = 86_400_000;

/** Mounts what replaces and ends the keys of one server: rotate (or regenerate), retire, add. */
export function mountRotate(site: Site): void {
  const rotatePage = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const details = await showServer(hub, param(c, 'name'));
    const form = new Form(c.get('person'), `${serverUrl(details.name)}/rotate`, sent);
    return { title: titleOf(details), section: 'fleet', body: rotateBody(details, form, hub.now()) };
  };
  site.on('GET /servers/:name/rotate', async (c, hub) => site.show(c, await rotatePage(c, hub)));
  const rotate: Handler = async (c, hub) => {
    const { standing = '', grace } = c.get('form');
    const name = param(c, 'name');
    const graceMs = grace === undefined ? undefined : windowOf(grace, 'grace');
    const made = await rotateKey(hub, name, { graceMs, standing: listOf(standing) });
    const body = shownOnce({
      heading: `New key of ${name}`,
      label: 'The new key',
      secret: made.key,
      fingerprint: made.fingerprint,
      facts: made.others.map(fateText),
      steps: stepsOf(made.others.some((one) => one.fate === 'previous')),
      next: [serverUrl(name), 'Watch the server take it'],
    });
    return site.show(c, { title: 'New key', section: 'fleet', body });
  };
  site.form('POST /servers/:name/rotate', rotate, rotatePage);

  const addPage = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const details = await showServer(hub, param(c, 'name'));
    const form = new Form(c.get('person'), `${serverUrl(details.name)}/add-key`, sent);
    return { title: 'Add a key', section: 'fleet', body: addBody(details, form) };
  };
  site.on('GET /servers/:name/add-key', async (c, hub) => site.show(c, await addPage(c, hub)));
  const add: Handler = async (c, hub) => {
    const { standing = '', name: keyName = '' } = c.get('form');
    const name = param(c, 'name');
    const made = await addKey(hub, name, keyName.trim() || null, listOf(standing));
    const body = shownOnce({
      heading: `A further key of ${name}`,
      label: 'The key',
      secret: made.key,
      fingerprint: made.fingerprint,
      facts: ['Every other key goes on working. Its first use makes it the current one.'],
      steps: stepsOf(true),
      next: [serverUrl(name), 'To the server'],
    });
    return site.show(c, { title: 'New key', section: 'fleet', body });
  };
  site.form('POST /servers/:name/add-key', add, addPage);

  const retirePage = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const details = await showServer(hub, param(c, 'name'));
    const form = new Form(c.get('person'), `${serverUrl(details.name)}/retire`, sent);
    return { title: 'Retire', section: 'fleet', body: retireBody(details, form, hub.now()) };
  };
  site.on('GET /servers/:name/retire', async (c, hub) => site.show(c, await retirePage(c, hub)));
  const retire: Handler = async (c, hub) => {
    const name = param(c, 'name');
    await retireKeys(hub, name);
    return site.done(c, serverUrl(name), 'retired');
  };
  site.form('POST /servers/:name/retire', retire, retirePage);
}

const titleOf = ({ policy }: ServerDetails): string => (policy === 'immediate' ? 'Regenerate the key' : 'Rotate the key');
const listOf = (text: string): string[] => text.split(' ').filter(Boolean);

/** A window as people write it in a field, ms. Throws HUB_FORM. */
export function windowOf(text: string, field: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms > 366 * DAY_MS) throw new FormError(field, 'a duration is written like 30m, 24h or 7d, and is a year at most');
  return Math.round(ms);
}

/** The keys that were there when the form was made: sent again, or after somebody else's change, it does nothing. */
const standingField = ({ keys }: ServerDetails): Markup =>
  html`<input type="hidden" name="standing" value="${standingOf(keys).join(' ')}">`;

function rotateBody(details: ServerDetails, form: Form, now: number): Markup {
  const { name, policy, grace } = details;
  const usual = formatDuration(grace * 1_000);
  const proposals = ['0s', '15m', '1h', '24h', '7d'].map((value) => html`<option value="${value}"></option>`);
  const window = form.text('grace', 'The old key goes on working for', {
    value: grace === 0 ? '0s' : usual.replaceAll(' ', ''),
    with: { required: true, size: 8, list: 'windows' },
    beside: html`<datalist id="windows">${proposals}</datalist>`,
    hint: html`<code>0s</code> retires it at once. This server’s window is ${grace === 0 ? 'none' : usual}.`,
  });
  const explained = {
    immediate: html`<p class="warning"><b>The old key is dead at once.</b> From that moment until the agent has the new key every heartbeat is refused. The agent keeps them and sends them later: nothing is lost, but the server will be shown as late or silent meanwhile.</p>`,
    grace: html`<p>The new key works at once. The current one works beside it for the window below and ends by itself; an older one ends now, unless it is the one that the agent still uses.</p>`,
    multi: html`<p>The new key works at once and is the current one. Every other key goes on working until you end it.</p>`,
  }[policy];
  return html`${crumbs(
    [
      ['/', 'Fleet'],
      [serverUrl(name), name],
    ],
    titleOf(details),
  )}
<div class="narrow"><h1>${titleOf(details)} of ${name}</h1>
${explained}
${inUse(details, now)}
${form.markup(
  standingField(details),
  policy === 'grace' && window,
  policy === 'immediate'
    ? submit('Regenerate: end the old key now', 'danger', serverUrl(name))
    : submit('Make the new key', 'primary', serverUrl(name)),
)}
<p class="quiet">Rather without a key passing through hands? On the host, <code>scout-agent rotate --self</code> makes and registers one by itself.</p></div>`;
}

/** Which keys there are, and when each was last used. */
function inUse({ keys }: ServerDetails, now: number): Markup {
  return listTable(
    ['Key', 'Slot', 'Last used'],
    keys.map((key) => [
      html`<code>${key.fingerprint}</code>${key.name && html` ${key.name}`}`,
      html`<span class="slot ${key.slot}">${key.slot}</span>${!key.enabled && ' disabled'}`,
      key.last_used === null ? html`<span class="quiet">never</span>` : ago(Date.parse(key.last_used), now),
    ]),
  );
}

function addBody(details: ServerDetails, form: Form): Markup {
  const { name } = details;
  const hint = 'To tell it from the others; may be left empty.';
  return html`${crumbs(
    [
      ['/', 'Fleet'],
      [serverUrl(name), name],
    ],
    'Add a key',
  )}
<div class="narrow"><h1>Add a key to ${name}</h1>
<p>It works beside the others at once. Its first use makes it the current key.</p>
${form.markup(standingField(details), form.text('name', 'Name', { hint, with: { maxlength: 63 } }), submit('Make the key', 'primary', serverUrl(name)))}</div>`;
}

function retireBody(details: ServerDetails, form: Form, now: number): Markup {
  const { name, keys, fingerprint } = details;
  const previous = keys.filter((key) => key.slot === 'previous');
  const used = previous.some((key) => key.fingerprint === fingerprint);
  return html`${crumbs(
    [
      ['/', 'Fleet'],
      [serverUrl(name), name],
    ],
    'Retire',
  )}
<div class="narrow"><h1>Retire the previous key of ${name}</h1>
${previous.length === 0 ? html`<p>There is no previous key: nothing to end.</p>` : html`<p>It is refused from this moment on.</p>`}
${used && html`<p class="warning" role="alert"><b>The latest heartbeat came with it.</b> The agent has not taken the new key yet: retired now, it is shut out until somebody gives it one.</p>`}
${inUse(details, now)}
${previous.length > 0 && form.markup(submit('Retire now', 'danger', serverUrl(name)))}</div>`;
}

function fateText({ fingerprint, fate, until }: Fate): Markup {
  if (fate === 'deleted') return html`<code>${fingerprint}</code> is refused from now on.`;
  if (fate === 'unchanged') return html`<code>${fingerprint}</code> is left as it was.`;
  return html`<code>${fingerprint}</code> goes on working as the previous key${until && html` until ${at(Date.parse(until))}`}.`;
}

/** How the key gets to the agent without passing through a process list or a shell's history. */
function stepsOf(overlap: boolean): Markup {
  return html`<ol class="steps"><li>Copy the key.</li>
<li>On the host, as root, start this and paste the key when it asks; end with Enter:
<pre><code>scout-agent rotate --new-key-stdin</code></pre>
<span class="quiet">It proves the key at this hub before it gives up the old one. Never put the key into a command line.</span></li>
<li>${overlap ? 'The server’s page says when the first heartbeat has come with it.' : 'Do it soon: until then the agent is refused. Its heartbeats wait on its disk.'}</li></ol>`;
}
