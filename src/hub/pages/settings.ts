import { html } from 'hono/html';
import { formatDuration } from '../../support/durations.ts';
import { param } from '../http/requests.ts';
import type { Person } from '../people/session.ts';
import { addServer, changeServer, type Registry, removeServer, type ServerDetails, showServer } from '../servers.ts';
import type { Policy } from '../store/store.ts';
import { serverUrl } from './fleet-page.ts';
import { Form, FormError, type Sent, submit } from './form.ts';
import { formatCount, type Markup } from './format.ts';
import { crumbs } from './parts.ts';
import { windowOf } from './rotate.ts';
import { shownOnce } from './shown-once.ts';
import { type Handler, originOf, type PageContext, type Shown, type Site } from './site.ts';

const POLICIES: [value: Policy, label: string, hint: string][] = [
  ['grace', 'Grace', 'after a rotation the old key goes on working for a window'],
  ['immediate', 'Immediate', 'a new key ends the old one at once'],
  ['multi', 'Multi', 'several keys at a time, ended one by one'],
];

/** Mounts what registers a server, changes its policy, and removes it. */
export function mountSettings(site: Site): void {
  const addPage = (c: PageContext, sent?: Sent): Shown => {
    return { title: 'Add a server', section: 'fleet', body: addBody(new Form(c.get('person'), '/add-server', sent)) };
  };
  site.on('GET /add-server', (c) => site.show(c, addPage(c)));
  const add: Handler = async (c, hub) => {
    const form = c.get('form');
    const name = (form.name ?? '').trim();
    const made = await addServer(hub, name, policyOf(form.policy), windowOf(form.grace ?? '24h', 'grace'));
    const body = shownOnce({
      heading: `Key of ${name}`,
      label: 'Its key',
      secret: made.key,
      fingerprint: made.fingerprint,
      facts: [`${name} is registered, and waits for its first heartbeat.`],
      steps: stepsOf(originOf(c)),
      next: [serverUrl(name), `To ${name}`],
    });
    return site.show(c, { title: 'Its key', section: 'fleet', body });
  };
  site.form('POST /add-server', add, (c, _hub, sent) => addPage(c, sent));

  const settings = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const details = await showServer(hub, param(c, 'name'));
    return { title: details.name, section: 'fleet', body: settingsBody(details, c.get('person'), sent) };
  };
  site.on('GET /servers/:name/settings', async (c, hub) => site.show(c, await settings(c, hub)));
  const change: Handler = async (c, hub) => {
    const { action, policy, grace = '24h', name: typed } = c.get('form');
    const name = param(c, 'name');
    if (action === 'policy') {
      await changeServer(hub, name, { policy: policyOf(policy), graceMs: windowOf(grace, 'grace') });
      return site.done(c, serverUrl(name), 'server-changed');
    }
    if (action !== 'remove' || typed !== name) throw new FormError('name', 'to remove a server, type its name as it stands');
    await removeServer(hub, name);
    return site.done(c, '/', 'server-removed');
  };
  site.form('POST /servers/:name/settings', change, settings);
}

function policyOf(text: string | undefined): Policy {
  const found = POLICIES.find(([value]) => value === text);
  if (!found) throw new FormError(undefined, 'no policy was chosen');
  return found[0];
}

const policyFields = (form: Form, policy: Policy, graceMs: number): Markup =>
  html`${form.choices('policy', 'Policy', POLICIES, policy)}${form.text('grace', 'Window of grace', {
    value: graceMs === 0 ? '0s' : formatDuration(graceMs).replaceAll(' ', ''),
    hint: 'How long the old key goes on working under grace: 30m, 24h, 7d.',
    with: { required: true, size: 8 },
  })}`;

function addBody(form: Form): Markup {
  return html`${crumbs([['/', 'Fleet']], 'Add a server')}
<div class="narrow"><h1>Add a server</h1>
<p>Its key is made here and shown once, for you to carry to the host. With a <a href="/tokens">token</a> the host makes its own, and nobody ever sees it.</p>
${form.markup(form.text('name', 'Name', { with: { required: true, maxlength: 128, autofocus: true } }), policyFields(form, 'grace', 86_400_000), submit('Register it', 'primary', '/'))}</div>`;
}

function settingsBody(details: ServerDetails, person: Person, sent?: Sent): Markup {
  const { name, policy, grace, accepted, keys } = details;
  const form = (action: string) => new Form(person, `${serverUrl(name)}/settings`, sent, action);
  const [kept, removed] = [form('policy'), form('remove')];
  return html`${crumbs(
    [
      ['/', 'Fleet'],
      [serverUrl(name), name],
    ],
    'Policy, removal',
  )}
<div class="narrow"><h1>${name}</h1>
<section class="panel"><h2>Policy</h2><p class="quiet">It holds from the next rotation on; keys that there are keep the end they have.</p>
${kept.markup(policyFields(kept, policy, grace * 1_000), submit('Keep'))}</section>
<section class="panel"><h2>Remove</h2><p class="warning"><b>Its agent is shut out at once.</b> ${keys.length === 1 ? 'Its key ends' : `Its ${keys.length} keys end`}, and what it has reported (${formatCount(accepted)} heartbeats) is gone.</p>
${removed.markup(removed.text('name', `Type ${name} to remove it`, { with: { required: true } }), submit(`Remove ${name}`, 'danger'))}</section></div>`;
}

function stepsOf(endpoint: string): Markup {
  return html`<ol class="steps"><li>Put it, with this hub’s address, into <code>/etc/scout-agent/config.yml</code> on the host (owner root, mode 0600):
<pre><code>api:
  endpoint: ${endpoint}
  key: …</code></pre></li>
<li>Check it, then start the agent:
<pre><code>scout-agent --check-config --online
systemctl start scout-agent</code></pre></li>
<li>The server’s page shows its first heartbeat by itself.</li></ol>`;
}
