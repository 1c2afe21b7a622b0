import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { formatDuration } from '../../support/durations.ts';
import { ScoutError } from '../../support/errors.ts';
import type { Hub } from '../hub.ts';
import { addressOf } from '../requests.ts';
import type { Router } from '../router.ts';
import { ABSOLUTE_MS, COOKIE, type Sessions } from '../session.ts';
import type { Assets } from './assets.ts';
import { parseFleetQuery, viewFleet } from './fleet.ts';
import { fleetBody, fleetFragment } from './fleet-page.ts';
import { messagePage, page, signInPage } from './layout.ts';
import { RANGES, type Range, serverBody, serverFragment } from './server-page.ts';
import { viewServer } from './server-view.ts';

/** What the pages are made with. */
export interface PagesOf {
  hub: Hub;
  sessions: Sessions;
  assets: Assets;
}

/** Mounts the fleet, the page of one server, their files, and signing in and out. */
export function mountPages(router: Router, { hub, sessions, assets }: PagesOf): void {
  mountSignIn(router, hub, sessions, assets);

  router.on('GET /assets/:name', (c) => assets.serve(c));

  router.on('GET /', async (c) => {
    const query = parseFleetQuery(new URL(c.req.url).searchParams);
    const now = hub.now();
    const view = viewFleet(await hub.store.fleet(c.get('person').org), query, now);
    if (c.req.header('x-scout-fragment')) return c.html(fleetFragment(view, now));
    return c.html(page({ title: 'Fleet', assets, person: c.get('person'), body: fleetBody(view, now) }));
  });

  router.on('GET /servers/:name', async (c) => {
    const name = c.req.param('name') ?? '';
    const range = rangeOf(c.req.query('range'));
    try {
      const view = await viewServer(c.get('registry'), name, range);
      if (c.req.header('x-scout-fragment')) return c.html(serverFragment(view, hub.now()));
      return c.html(page({ title: name, assets, person: c.get('person'), charts: true, body: serverBody(view, hub.now()) }));
    } catch (error) {
      if (!(error instanceof ScoutError) || error.code !== 'HUB_SERVER_UNKNOWN') throw error;
      const text = 'No server of this name is registered. It may have been removed.';
      return c.html(messagePage({ title: 'Server not found', assets, person: c.get('person'), text }), 404);
    }
  });
}

function mountSignIn(router: Router, hub: Hub, sessions: Sessions, assets: Assets): void {
  router.on('GET /sign-in', async (c) => {
    const next = safeNext(c.req.query('next'));
    if (await sessions.find(getCookie(c, COOKIE), true)) return c.redirect(next, 303);
    return c.html(signInPage(assets, { next }));
  });

  router.on('POST /sign-in', async (c) => {
    const { name = '', password = '', next: wanted } = c.get('form');
    const next = safeNext(wanted);
    const result = await sessions.signIn(name, password, addressOf(c));
    if (result.ok) {
      await sessions.end(getCookie(c, COOKIE));
      setSession(c, result.cookie);
      return c.redirect(next, 303);
    }
    if (result.reason === 'refused') {
      hub.log?.warn({ source: addressOf(c) }, 'sign-in refused');
      return c.html(signInPage(assets, { next, name, problem: 'Name or password is wrong.' }), 403);
    }
    c.header('Retry-After', String(result.seconds));
    const problem = `Too many attempts. Try again in ${formatDuration(result.seconds * 1_000)}.`;
    return c.html(signInPage(assets, { next, name, problem }), 429);
  });

  router.on('POST /sign-out', async (c) => {
    await sessions.end(getCookie(c, COOKIE));
    deleteCookie(c, COOKIE, { path: '/', secure: true });
    return c.redirect('/sign-in', 303);
  });
}

/** Hands a browser the cookie of a new session. */
function setSession(c: Context, cookie: string): void {
  // Lax: with Strict a link to a page in a chat or a ticket would ask people to sign in who already have. Nothing
  // that changes anything is reached by GET, and each POST is checked for its origin and token besides.
  setCookie(c, COOKIE, cookie, { path: '/', secure: true, httpOnly: true, sameSite: 'Lax', maxAge: ABSOLUTE_MS / 1_000 });
}

const rangeOf = (text: string | undefined): Range => (text !== undefined && Object.hasOwn(RANGES, text) ? (text as Range) : '1h');

/** Where to go after signing in: a path of this hub and nothing else. */
function safeNext(wanted: string | undefined): string {
  return wanted !== undefined && /^\/(?![/\\])[\x21-\x7e]*$/.test(wanted) && !wanted.startsWith('/sign-') ? wanted : '/';
}
