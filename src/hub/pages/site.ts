import type { Context } from 'hono';
import { getCookie } from 'hono/cookie';
import { html } from 'hono/html';
import { ScoutError } from '../../support/errors.ts';
import type { RouteEnv } from '../http/requests.ts';
import type { Router } from '../http/router.ts';
import type { RouteId } from '../http/routes.ts';
import type { Hub } from '../hub.ts';
import type { Sessions } from '../people/session.ts';
import type { Registry } from '../servers.ts';
import type { Assets } from './assets.ts';
import { type PageOptions, page } from './layout.ts';
import { noteOf } from './notes.ts';
import { THEME_COOKIE, themeOf } from './theme.ts';

export type PageContext = Context<RouteEnv>;
/** Answers one route for whoever is signed in; the registry acts for them. */
export type Handler = (c: PageContext, hub: Registry) => Promise<Response> | Response;
/** What a handler shows; the rest of a page is the same for all. */
export type Shown = Pick<PageOptions, 'title' | 'body' | 'charts' | 'section'>;

/** What pages are made with. */
export interface SiteParts {
  hub: Hub;
  sessions: Sessions;
  assets: Assets;
}

/** What all pages have in common: how they are mounted, framed, and how they say that something cannot be done. */
export class Site {
  readonly router: Router;
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly assets: Assets;

  constructor(router: Router, { hub, sessions, assets }: SiteParts) {
    this.router = router;
    this.hub = hub;
    this.sessions = sessions;
    this.assets = assets;
  }

  /** Mounts a page, or what a form of these pages is sent to. */
  on(id: RouteId, handler: Handler): void {
    this.router.on(id, (c) => this.#answer(c, handler));
  }

  /** A whole page for whoever is signed in, with a note of what was done (`?done=…`) above it. */
  show(c: PageContext, shown: Shown, status: 200 | 400 | 404 | 409 = 200): Response | Promise<Response> {
    const note = noteOf(c.req.query('done'));
    const options = { ...shown, assets: this.assets, person: c.get('person'), theme: themeOf(getCookie(c, THEME_COOKIE)) };
    return c.html(page({ ...options, now: this.hub.now(), ...(note !== undefined && { note }) }), status);
  }

  /** Back to a page after a form, with a note of what was done. */
  done(c: PageContext, path: string, note: string): Response {
    return c.redirect(`${path}${path.includes('?') ? '&' : '?'}done=${note}`, 303);
  }

  async #answer(c: PageContext, handler: Handler): Promise<Response> {
    try {
      return await handler(c, c.get('registry'));
    } catch (error) {
      const status = error instanceof ScoutError ? statusOf(error.code) : undefined;
      if (!(error instanceof ScoutError) || status === undefined) throw error;
      const { message } = error.problem;
      const text = `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
      const back = c.req.method === 'POST' ? c.req.path : '/';
      const title = status === 404 ? 'Not found' : 'Not done';
      const body = html`<div class="message"><h1>${title}</h1><p>${text}</p><p><a href="${back}">${back === '/' ? 'To the fleet' : 'Back'}</a></p></div>`;
      return this.show(c, { title, body }, status);
    }
  }
}

/** How a page answers what people got wrong; undefined for what is not theirs to mend. */
function statusOf(code: string): 400 | 404 | 409 | undefined {
  if (!code.startsWith('HUB_')) return undefined;
  if (code.endsWith('_UNKNOWN')) return 404;
  if (/_(EXISTS|MOVED|LAST|POLICY|NAMED|ENDED)$/.test(code)) return 409;
  return /_(NAME|WEAK|FORM)$|^HUB_PUBLIC_KEY$/.test(code) ? 400 : undefined;
}
