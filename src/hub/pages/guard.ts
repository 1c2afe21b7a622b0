import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import type { Hub } from '../hub.ts';
import { Refusal } from '../problems.ts';
import { COOKIE, csrfMatches, type Person, type Sessions } from '../session.ts';

/** What the routes for people carry along. */
export interface PeopleEnv {
  Variables: { person: Person; form: Record<string, string> };
}

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

/** Headers of every answer to people. */
export const headers: MiddlewareHandler = async (c, next) => {
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

async function identify(c: Context, sessions: Sessions): Promise<Person | undefined> {
  // A page that refreshes itself fetches; only what a person opens counts as use of the session.
  const mode = c.req.header('sec-fetch-mode');
  return sessions.find(getCookie(c, COOKIE), mode === undefined || mode === 'navigate');
}

/** Lets only people who are signed in through: pages send others to the sign-in page and back. */
export function requireUser(sessions: Sessions, kind: 'page' | 'api'): MiddlewareHandler<PeopleEnv> {
  return async (c, next) => {
    const person = await identify(c, sessions);
    if (person) {
      c.set('person', person);
      return next();
    }
    if (kind === 'api' || c.req.header('x-scout-fragment'))
      throw new Refusal('signed_out', 'Sign in first: this is for people with a session.');
    const url = new URL(c.req.url);
    const wanted = url.pathname + url.search;
    return c.redirect(wanted === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(wanted)}`, 303);
  };
}

/** Whether a POST came from a page of this hub. Browsers send at least one of the two headers, and scripts cannot set them. */
function sameOrigin(c: Context, hub: Pick<Hub, 'publicOrigin'>): boolean {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  if (site === undefined && origin === undefined) return false;
  if (site !== undefined && site !== 'same-origin') return false;
  if (origin === undefined || origin === hub.publicOrigin) return true;
  // Behind a proxy that ends TLS the scheme seen here differs; the host does not.
  return URL.canParse(origin) && new URL(origin).host === c.req.header('host');
}

/** Lets a POST through only from our own pages, and for people who are signed in only with their session's token. */
export function requireForm(hub: Pick<Hub, 'publicOrigin'>): MiddlewareHandler<PeopleEnv> {
  return async (c, next) => {
    const forbidden = () => new Refusal('forbidden', 'This form was not sent by a page of this hub. Reload the page and try again.');
    if (!sameOrigin(c, hub)) throw forbidden();
    const type = c.req.header('content-type') ?? '';
    if (!type.startsWith('application/x-www-form-urlencoded'))
      throw new Refusal('unsupported_type', 'Send a form: application/x-www-form-urlencoded.');
    const form = Object.fromEntries(new URLSearchParams(await c.req.text()));
    const person = c.get('person') as Person | undefined;
    if (person && !csrfMatches(person, form.csrf)) throw forbidden();
    c.set('form', form);
    return next();
  };
}
