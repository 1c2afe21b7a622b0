import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { html } from 'hono/html';
import { formatDuration } from '../../support/durations.ts';
import { ScoutError } from '../../support/errors.ts';
import { endSession, setSession } from '../people/cookies.ts';
import type { Person } from '../people/session.ts';
import { signOutEverywhere } from '../people/users.ts';
import type { Registry } from '../servers.ts';
import type { Markup } from './format.ts';
import { choices, field, postForm } from './parts.ts';
import type { PageContext, Site } from './site.ts';
import { THEME_COOKIE, type Theme, themeOf } from './theme.ts';
import { passwordField } from './users-page.ts';

const YEAR_S = 365 * 86_400;

/** Mounts one's own account: the password, the sessions, the appearance. */
export function mountAccount(site: Site): void {
  site.on('GET /account', (c) => {
    const theme = themeOf(getCookie(c, THEME_COOKIE));
    return site.show(c, { title: 'Your account', section: 'account', body: body(c.get('person'), theme) });
  });
  site.on('POST /account', async (c, hub) => {
    const { action, theme } = c.get('form');
    if (action === 'password') return changeOwn(site, c, hub);
    if (action === 'theme') {
      const chosen = themeOf(theme);
      const options = { path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const;
      if (chosen) setCookie(c, THEME_COOKIE, chosen, { ...options, maxAge: YEAR_S });
      else deleteCookie(c, THEME_COOKIE, options);
      return site.done(c, '/account', 'theme');
    }
    if (action !== 'sign-out') throw new ScoutError('HUB_FORM', { detail: 'nothing was chosen' });
    await signOutEverywhere(hub, c.get('person').name);
    endSession(c);
    return c.redirect('/sign-in', 303);
  });
}

/** All other sessions end, and this one goes on by another cookie. */
async function changeOwn(site: Site, c: PageContext, hub: Registry): Promise<Response> {
  const { old = '', password = '' } = c.get('form');
  const result = await site.sessions.changePassword(hub, c.get('person'), { old, password });
  if (!result.ok) {
    const wait = result.reason === 'wait' && `too many attempts; try again in ${formatDuration(result.seconds * 1_000)}`;
    throw new ScoutError('HUB_FORM', { detail: wait || 'the old password is wrong' });
  }
  setSession(c, result);
  return site.done(c, '/account', 'password');
}

function body(person: Person, theme: Theme): Markup {
  const button = (label: string, kind: string) => html`<p class="actions"><button class="${kind}">${label}</button></p>`;
  const old = html`<input id="old" name="old" type="password" required maxlength="1024" autocomplete="current-password">`;
  const themes: [string, string][] = [
    ['system', 'As the system has it'],
    ['light', 'Light'],
    ['dark', 'Dark'],
  ];
  return html`<div class="narrow"><h1>${person.name}</h1>
<p class="quiet">Signed in as ${person.role === 'admin' ? 'an admin' : 'a member'}. ${person.role === 'admin' && html`<a href="/audit?who=${encodeURIComponent(`user:${person.name}`)}">What you did</a>`}</p>
<section class="panel"><h2>Appearance</h2>${postForm(person, '/account', html`${choices('theme', 'Appearance', themes, theme ?? 'system')}${button('Keep', 'primary')}`, { action: 'theme' })}</section>
<section class="panel"><h2>Password</h2><p>Your other sessions end.</p>${postForm(person, '/account', html`${field('old', 'Old password', old)}${passwordField('New password')}${button('Change it', 'primary')}`, { action: 'password' })}</section>
<section class="panel"><h2>Sign out everywhere</h2><p>Ends every session of yours, this one too.</p>${postForm(person, '/account', button('Sign out everywhere', ''), { action: 'sign-out' })}</section></div>`;
}
