import type { Context } from 'hono';
import type { Hub } from '../hub.ts';
import { Refusal } from './problems.ts';

/**
 * Whether a request that changes something came from a page of this hub. Browsers send at least one of the two headers,
 * and scripts of other pages cannot set them.
 */
export function sameOrigin(c: Context, hub: Pick<Hub, 'publicOrigin'>): boolean {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  if (site === undefined && origin === undefined) return false;
  if (site !== undefined && site !== 'same-origin') return false;
  if (origin === undefined || origin === hub.publicOrigin) return true;
  // Behind a proxy that ends TLS the scheme seen here differs; the host does not.
  return URL.canParse(origin) && new URL(origin).host === c.req.header('host');
}

/** The answer to what a page of somebody else may have sent with a person's cookie. */
export const csrfRefusal = (): Refusal =>
  new Refusal('forbidden', 'This was not sent by a page of this hub, or without the token of the session. Reload the page and try again.');
