import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { html } from 'hono/html';
import { formatDuration } from '../../support/durations.ts';
import { endSession, setSession } from '../people/cookies.ts';
import type { Person } from '../people/session.ts';
import { signOutEverywhere } from '../people/users.ts';
import type { Registry } from '../servers.ts';
import { Form, FormError, type Sent, submit } from './form.ts';
import type { Markup } from './format.ts';
import type { Handler, PageContext, Shown, Site } from './site.ts';
import { THEME_COOKIE, type Theme, themeOf } from './theme.ts';
import { passwordField } from './users-page.ts';

const YEAR_S = 365 * 86_400;

/** Mounts one's own account: the password, the sessions, the appearance. */
export function mountAccount(site: Site): void {
  const account = (c: PageContext, sent?: Sent): Shown => {
    const theme = themeOf(getCookie(c, THEME_COOKIE));
    return { title: 'Your account', section: 'account', body: body(c.get('person'), theme, sent) };
  };
  site.on('GET /account', (c) => site.show(c, account(c)));
  const change: Handler = async (c, hub) => {
    const { action, theme } = c.get('form');
    if (action === 'password') return changeOwn(site, c, hub);
    if (action === 'theme') {
      const chosen = themeOf(theme);
      const options = { path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const;
      if (chosen) setCookie(c, THEME_COOKIE, chosen, { ...options, maxAge: YEAR_S });
      else deleteCookie(c, THEME_COOKIE, options);
      return site.done(c, '/account', 'theme');
    }
    if (action !== 'sign-out') throw new FormError(undefined, 'nothing was chosen');
    await signOutEverywhere(hub, c.get('person').name);
    endSession(c);
    return c.redirect('/sign-in', 303);
  };
  site.form('POST /account', change, (c, _hub, sent) => account(c, sent));
}

/** All other sessions end, and this one goes on by another cookie. */
async function changeOwn(site: Site, c: PageContext, hub: Registry): Promise<Response> {
  const { old = '', password = '' } = c.get('form');
  const result = await site.sessions.changePassword(hub, c.get('person'), { old, password });
  if (!result.ok) {
    const wait = result.reason === 'wait' && `too many attempts; try again in ${formatDuration(result.seconds * 1_000)}`;
    throw new FormError('old', wait || 'the old password is wrong');
  }
  setSession(c, result);
  return site.done(c, '/account', 'password');
}

function body(person: Person, theme: Theme, sent?: Sent): Markup {
  const form = (action: string) => new Form(person, '/account', sent, action);
  const [look, password] = [form('theme'), form('password')];
  const old = { required: true, maxlength: 1024, autocomplete: 'current-password' } as const;
  const themes: [string, string][] = [
    ['system', 'As the system has it'],
    ['light', 'Light'],
    ['dark', 'Dark'],
  ];
  return html`<div class="narrow"><h1>${person.name}</h1>
<p class="quiet">Signed in as ${person.role === 'admin' ? 'an admin' : 'a member'}. ${person.role === 'admin' && html`<a href="/audit?who=${encodeURIComponent(`user:${person.name}`)}">What you did</a>`}</p>
<section class="panel"><h2>Appearance</h2>${look.markup(look.choices('theme', 'Appearance', themes, theme ?? 'system'), submit('Keep'))}</section>
<section class="panel"><h2>Password</h2><p>Your other sessions end.</p>${password.markup(html`<input type="text" hidden value="${person.name}" autocomplete="username">`, password.password('old', 'Old password', { with: old }), passwordField(password, 'New password'), submit('Change it'))}</section>
<section class="panel"><h2>Sign out everywhere</h2><p>Ends every session of yours, this one too.</p>${form('sign-out').markup(submit('Sign out everywhere', ''))}</section></div>`;
}
