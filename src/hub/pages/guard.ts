import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import type { ServiceProblem } from '../../protocol/heartbeat.ts';
import { csrfRefusal, sameOrigin } from '../http/origin.ts';
import { PROBLEM_TYPE, Refusal } from '../http/problems.ts';
import type { RouteEnv } from '../http/requests.ts';
import type { Faces } from '../http/router.ts';
import type { Hub } from '../hub.ts';
import { csrfMatches, type Person } from '../people/session.ts';
import type { Assets } from './assets.ts';
import { messagePage } from './layout.ts';
import { THEME_COOKIE, themeOf } from './theme.ts';

const CSP = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Headers of every answer. */
const headers: MiddlewareHandler = async (c, next) => {
  await next();
  const set = (name: string, value: string) => c.res.headers.set(name, value);
  set('Content-Security-Policy', CSP);
  set('X-Content-Type-Options', 'nosniff');
  set('X-Frame-Options', 'DENY');
  // Not no-referrer: with it browsers send `Origin: null` along with our own forms.
  set('Referrer-Policy', 'same-origin');
  set('Cross-Origin-Opener-Policy', 'same-origin');
  set('Cross-Origin-Resource-Policy', 'same-origin');
  set('Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()');
  if (!c.res.headers.has('Cache-Control')) set('Cache-Control', 'no-store');
  // On a loopback name it would bind every other thing that this machine serves there.
  if (!/^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/i.test(c.req.header('host') ?? '')) set('Strict-Transport-Security', 'max-age=31536000');
};

/** How pages and forms are served: their headers, their errors, their tokens, and the way to the sign-in page. */
export function facesOf(hub: Pick<Hub, 'publicOrigin'>, assets: Assets): Faces {
  return { around: headers, readable: readableErrors(assets), form: readForm(hub), signIn: toSignIn };
}

/** To the sign-in page, and from there back to where somebody wanted. */
function toSignIn(c: Context): Response {
  const url = new URL(c.req.url);
  // What a form wanted cannot be gone back to.
  const wanted = c.req.method === 'GET' ? url.pathname + url.search : '/';
  return c.redirect(wanted === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(wanted)}`, 303);
}

/** Shows people an error as a page where a program would get its JSON. */
function readableErrors(assets: Assets): MiddlewareHandler<RouteEnv> {
  return async (c, next) => {
    await next();
    const { status } = c.res;
    if (!c.res.headers.get('content-type')?.startsWith(PROBLEM_TYPE) || !c.req.header('accept')?.includes('text/html')) return;
    const { title, detail } = (await c.res.json()) as ServiceProblem;
    c.res = new Response(String(messagePage({ title, assets, text: detail, theme: themeOf(getCookie(c, THEME_COOKIE)) })), {
      status,
      headers: { 'content-type': 'text/html; charset=utf-8' },
    });
  };
}

/** Reads a form; lets it through only from our own pages, and for people who are signed in only with their session's token. */
function readForm(hub: Pick<Hub, 'publicOrigin'>): MiddlewareHandler<RouteEnv> {
  return async (c, next) => {
    if (!sameOrigin(c, hub)) throw csrfRefusal();
    const type = c.req.header('content-type') ?? '';
    if (!type.startsWith('application/x-www-form-urlencoded'))
      throw new Refusal('unsupported_type', 'Send a form: application/x-www-form-urlencoded.');
    const form = Object.fromEntries(new URLSearchParams(await c.req.text()));
    const person = c.get('person') as Person | undefined;
    if (person && !csrfMatches(person, form.csrf)) throw csrfRefusal();
    c.set('form', form);
    return next();
  };
}
