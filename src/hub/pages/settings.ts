import { html } from 'hono/html';
import { formatDuration } from '../../support/durations.ts';
import { ScoutError } from '../../support/errors.ts';
import { param } from '../http/requests.ts';
import type { Person } from '../people/session.ts';
import { addServer, changeServer, removeServer, type ServerDetails, showServer } from '../servers.ts';
import type { Policy } from '../store/store.ts';
import { serverUrl } from './fleet-page.ts';
import { formatCount, type Markup } from './format.ts';
import { choices, crumbs, field, postForm } from './parts.ts';
import { windowOf } from './rotate.ts';
import { shownOnce } from './shown-once.ts';
import type { Site } from './site.ts';

const POLICIES: [value: Policy, label: string, hint: string][] = [
  ['grace', 'Grace', 'after a rotation the old key goes on working for a window'],
  ['immediate', 'Immediate', 'a new key ends the old one at once'],
  ['multi', 'Multi', 'several keys at a time, ended one by one'],
];

/** Mounts what registers a server, changes its policy, and removes it. */
export function mountSettings(site: Site): void {
  site.on('GET /add-server', (c) => site.show(c, { title: 'Add a server', section: 'fleet', body: addBody(c.get('person')) }));
  site.on('POST /add-server', async (c, hub) => {
    const form = c.get('form');
    const name = (form.name ?? '').trim();
    const made = await addServer(hub, name, policyOf(form.policy), windowOf(form.grace ?? '24h'));
    const body = shownOnce({
      heading: `Key of ${name}`,
      label: 'Its key',
      secret: made.key,
      fingerprint: made.fingerprint,
      facts: [`${name} is registered, and waits for its first heartbeat.`],
      steps: stepsOf(`https://${c.req.header('host') ?? 'ADDRESS-OF-THIS-HUB'}`),
      next: [serverUrl(name), `To ${name}`],
    });
    return site.show(c, { title: 'Its key', section: 'fleet', body });
  });

  site.on('GET /servers/:name/settings', async (c, hub) => {
    const details = await showServer(hub, param(c, 'name'));
    return site.show(c, { title: details.name, section: 'fleet', body: settingsBody(details, c.get('person')) });
  });
  site.on('POST /servers/:name/settings', async (c, hub) => {
    const { action, policy, grace = '24h', name: typed } = c.get('form');
    const name = param(c, 'name');
    if (action === 'policy') {
      await changeServer(hub, name, { policy: policyOf(policy), graceMs: windowOf(grace) });
      return site.done(c, serverUrl(name), 'server-changed');
    }
    if (action !== 'remove' || typed !== name)
      throw new ScoutError('HUB_FORM', { detail: 'to remove a server, type its name as it stands' });
    await removeServer(hub, name);
    return site.done(c, '/', 'server-removed');
  });
}

function policyOf(text: string | undefined): Policy {
  const found = POLICIES.find(([value]) => value === text);
  if (!found) throw new ScoutError('HUB_FORM', { detail: 'no policy was chosen' });
  return found[0];
}

const policyFields = (policy: Policy, graceMs: number): Markup =>
  html`${choices('policy', 'Policy', POLICIES, policy)}${field(
    'grace',
    'Window of grace',
    html`<input id="grace" name="grace" value="${graceMs === 0 ? '0s' : formatDuration(graceMs).replaceAll(' ', '')}" size="8" autocomplete="off" required aria-describedby="grace-hint">`,
    'How long the old key goes on working under grace: 30m, 24h, 7d.',
  )}`;

function addBody(person: Person): Markup {
  const input = html`<input id="name" name="name" required maxlength="128" autocomplete="off" spellcheck="false" autocapitalize="none" autofocus>`;
  return html`${crumbs([['/', 'Fleet']], 'Add a server')}
<div class="narrow"><h1>Add a server</h1>
<p>Its key is made here and shown once, for you to carry to the host. With a <a href="/tokens">token</a> the host makes its own, and nobody ever sees it.</p>
${postForm(person, '/add-server', html`${field('name', 'Name', input)}${policyFields('grace', 86_400_000)}<p class="actions"><button class="primary">Register it</button><a class="button" href="/">Cancel</a></p>`)}</div>`;
}

function settingsBody(details: ServerDetails, person: Person): Markup {
  const { name, policy, grace, accepted, keys } = details;
  const url = `${serverUrl(name)}/settings`;
  const input = html`<input id="name" name="name" required autocomplete="off" spellcheck="false" autocapitalize="none">`;
  return html`${crumbs(
    [
      ['/', 'Fleet'],
      [serverUrl(name), name],
    ],
    'Policy, removal',
  )}
<div class="narrow"><h1>${name}</h1>
<section class="panel"><h2>Policy</h2><p class="quiet">It holds from the next rotation on; keys that there are keep the end they have.</p>
${postForm(person, url, html`${policyFields(policy, grace * 1_000)}<p class="actions"><button class="primary">Keep</button></p>`, { action: 'policy' })}</section>
<section class="panel"><h2>Remove</h2><p class="warning"><b>Its agent is shut out at once.</b> ${keys.length === 1 ? 'Its key ends' : `Its ${keys.length} keys end`}, and what it has reported (${formatCount(accepted)} heartbeats) is gone.</p>
${postForm(person, url, html`${field('name', `Type ${name} to remove it`, input)}<p class="actions"><button class="danger">Remove ${name}</button></p>`, { action: 'remove' })}</section></div>`;
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
