import type { Context } from 'hono';
import { deleteCookie, setCookie } from 'hono/cookie';
import { DEVICE_COOKIE, DEVICE_KEPT_MS } from './devices.ts';
import { ABSOLUTE_MS, COOKIE } from './session.ts';

/** Hands a browser the cookie of a new session, and what tells it from strangers the next time. */
export function setSession(c: Context, { cookie, device }: { cookie: string; device: string }): void {
  // Lax: with Strict a link to a page in a chat or a ticket would ask people to sign in who already have. Nothing
  // that changes anything is reached by GET, and whatever does is checked for its origin and token besides.
  setCookie(c, COOKIE, cookie, { path: '/', secure: true, httpOnly: true, sameSite: 'Lax', maxAge: ABSOLUTE_MS / 1_000 });
  setCookie(c, DEVICE_COOKIE, device, { path: '/', secure: true, httpOnly: true, sameSite: 'Strict', maxAge: DEVICE_KEPT_MS / 1_000 });
}

/** Takes the cookie of a session from a browser. */
export function endSession(c: Context): void {
  deleteCookie(c, COOKIE, { path: '/', secure: true });
}
