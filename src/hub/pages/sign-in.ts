import type { Context } from 'hono';
import { getCookie } from 'hono/cookie';
import { formatDuration } from '../../support/durations.ts';
import { addressOf } from '../http/requests.ts';
import { endSession, setSession } from '../people/cookies.ts';
import { DEVICE_COOKIE } from '../people/devices.ts';
import { COOKIE } from '../people/session.ts';
import { signInPage } from './layout.ts';
import type { Site } from './site.ts';
import { THEME_COOKIE, themeOf } from './theme.ts';

/** Mounts signing in and out. */
export function mountSignIn({ router, hub, sessions, assets }: Site): void {
  const theme = (c: Context) => themeOf(getCookie(c, THEME_COOKIE));

  router.on('GET /sign-in', async (c) => {
    const next = safeNext(c.req.query('next'));
    if (await sessions.find(getCookie(c, COOKIE), true)) return c.redirect(next, 303);
    return c.html(signInPage(assets, { next, theme: theme(c) }));
  });

  router.on('POST /sign-in', async (c) => {
    const { name = '', password = '', next: wanted } = c.get('form');
    const next = safeNext(wanted);
    const result = await sessions.signIn(name, password, addressOf(c), getCookie(c, DEVICE_COOKIE));
    if (result.ok) {
      await sessions.end(getCookie(c, COOKIE));
      setSession(c, result);
      return c.redirect(next, 303);
    }
    const shown = { next, name, theme: theme(c) };
    if (result.reason === 'refused') {
      hub.log?.warn({ source: addressOf(c) }, 'sign-in refused');
      return c.html(signInPage(assets, { ...shown, problem: 'Name or password is wrong.' }), 403);
    }
    c.header('Retry-After', String(result.seconds));
    const problem = `Too many attempts. Try again in ${formatDuration(result.seconds * 1_000)}.`;
    return c.html(signInPage(assets, { ...shown, problem }), 429);
  });

  router.on('POST /sign-out', async (c) => {
    await sessions.end(getCookie(c, COOKIE));
    endSession(c);
    return c.redirect('/sign-in', 303);
  });
}

/** Where to go after signing in: a path of this hub and nothing else. */
function safeNext(wanted: string | undefined): string {
  return wanted !== undefined && /^\/(?![/\\])[\x21-\x7e]*$/.test(wanted) && !wanted.startsWith('/sign-') ? wanted : '/';
}
