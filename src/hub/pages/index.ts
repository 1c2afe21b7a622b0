import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, Hono, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { ServiceProblem } from '../../protocol/heartbeat.ts';
import { formatDuration } from '../../support/durations.ts';
import { ScoutError } from '../../support/errors.ts';
import type { Hub } from '../hub.ts';
import { PROBLEM_TYPE, Refusal } from '../problems.ts';
import { ABSOLUTE_MS, COOKIE, Sessions } from '../session.ts';
import { mountApi } from './api.ts';
import { Assets } from './assets.ts';
import { parseFleetQuery, viewFleet } from './fleet.ts';
import { fleetBody, fleetFragment } from './fleet-page.ts';
import { headers, type PeopleEnv, requireForm, requireUser } from './guard.ts';
import { messagePage, page, signInPage } from './layout.ts';
import { RANGES, type Range, serverBody, serverFragment } from './server-page.ts';
import { viewServer } from './server-view.ts';

const FORM_MAX_BYTES = 8_192;

/** Mounts sign-in, the fleet, the page of one server, their files, and the API that people read. */
export function mountPages(app: Hono, hub: Hub): void {
  const assets = new Assets().load();
  const sessions = new Sessions(hub);
  const user = requireUser(sessions, 'page');
  const pages = app as unknown as Hono<PeopleEnv>;

  mountApi(pages, hub, sessions);
  const readable = readableErrors(assets);
  mountSignIn(pages, hub, sessions, assets);

  pages.get('/assets/:name', headers, (c) => assets.serve(c));

  pages.get('/', headers, readable, user, async (c) => {
    const query = parseFleetQuery(new URL(c.req.url).searchParams);
    const now = hub.now();
    const view = viewFleet(await hub.store.fleet(c.get('person').org), query, now);
    if (c.req.header('x-scout-fragment')) return c.html(fleetFragment(view, now));
    return c.html(page({ title: 'Fleet', assets, person: c.get('person'), body: fleetBody(view, now) }));
  });

  pages.get('/servers/:name', headers, readable, user, async (c) => {
    const name = c.req.param('name');
    const range = rangeOf(c.req.query('range'));
    try {
      const view = await viewServer({ store: hub.store, now: hub.now, org: c.get('person').org }, name, range);
      if (c.req.header('x-scout-fragment')) return c.html(serverFragment(view, hub.now()));
      return c.html(page({ title: name, assets, person: c.get('person'), charts: true, body: serverBody(view, hub.now()) }));
    } catch (error) {
      if (!(error instanceof ScoutError) || error.code !== 'HUB_SERVER_UNKNOWN') throw error;
      const text = 'No server of this name is registered. It may have been removed.';
      return c.html(messagePage({ title: 'Server not found', assets, person: c.get('person'), text }), 404);
    }
  });

  // Last, and a route rather than a notFound handler: so that the headers and the page for people are theirs as well.
  app.all('*', headers, readable, () => {
    throw new Refusal('not_found', 'There is nothing here.');
  });
}

function mountSignIn(app: Hono<PeopleEnv>, hub: Hub, sessions: Sessions, assets: Assets): void {
  const form = [
    headers,
    readableErrors(assets),
    bodyLimit({
      maxSize: FORM_MAX_BYTES,
      onError: () => new Refusal('body_too_large', 'A form of these pages has 8 KiB at most.').response(),
    }),
  ] as const;

  app.get('/sign-in', headers, async (c) => {
    const next = safeNext(c.req.query('next'));
    if (await sessions.find(getCookie(c, COOKIE), true)) return c.redirect(next, 303);
    return c.html(signInPage(assets, { next }));
  });

  app.post('/sign-in', ...form, requireForm(hub), async (c) => {
    const { name = '', password = '', next: wanted } = c.get('form');
    const next = safeNext(wanted);
    const result = await sessions.signIn(name, password, sourceAddress(c));
    if (result.ok) {
      await sessions.end(getCookie(c, COOKIE));
      // Lax: with Strict a link to a page in a chat or a ticket would ask people to sign in who already have. Nothing
      // that changes anything is reached by GET, and each POST is checked for its origin and token besides.
      setCookie(c, COOKIE, result.cookie, { path: '/', secure: true, httpOnly: true, sameSite: 'Lax', maxAge: ABSOLUTE_MS / 1_000 });
      return c.redirect(next, 303);
    }
    if (result.reason === 'refused') {
      hub.log?.warn({ source: sourceAddress(c) }, 'sign-in refused');
      return c.html(signInPage(assets, { next, name, problem: 'Name or password is wrong.' }), 403);
    }
    c.header('Retry-After', String(result.seconds));
    const problem = `Too many attempts. Try again in ${formatDuration(result.seconds * 1_000)}.`;
    return c.html(signInPage(assets, { next, name, problem }), 429);
  });

  app.post('/sign-out', ...form, requireUser(sessions, 'page'), requireForm(hub), async (c) => {
    await sessions.end(getCookie(c, COOKIE));
    deleteCookie(c, COOKIE, { path: '/', secure: true });
    return c.redirect('/sign-in', 303);
  });
}

/** Shows people an error as a page where a program would get its JSON. */
function readableErrors(assets: Assets): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const { status } = c.res;
    if (!c.res.headers.get('content-type')?.startsWith(PROBLEM_TYPE) || !c.req.header('accept')?.includes('text/html')) return;
    const { title, detail } = (await c.res.json()) as ServiceProblem;
    c.res = new Response(String(messagePage({ title, assets, text: detail })), {
      status,
      headers: { 'content-type': 'text/html; charset=utf-8' },
    });
  };
}

const rangeOf = (text: string | undefined): Range => (text !== undefined && Object.hasOwn(RANGES, text) ? (text as Range) : '1h');

/** Where to go after signing in: a path of this hub and nothing else. */
function safeNext(wanted: string | undefined): string {
  return wanted !== undefined && /^\/(?![/\\])[\x21-\x7e]*$/.test(wanted) && !wanted.startsWith('/sign-') ? wanted : '/';
}

/** The address that asks. Where there is no socket (a test), all are one source. */
function sourceAddress(c: Context): string {
  try {
    return getConnInfo(c).remote.address ?? '';
  } catch {
    return '';
  }
}
