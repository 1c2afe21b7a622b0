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
import { type Sent, sentence, sentWith } from './form.ts';
import { type PageOptions, page } from './layout.ts';
import { noteOf } from './notes.ts';
import { THEME_COOKIE, themeOf } from './theme.ts';

export type PageContext = Context<RouteEnv>;
/** Answers one route for whoever is signed in; the registry acts for them. */
export type Handler = (c: PageContext, hub: Registry) => Promise<Response> | Response;
/** Shows the page of a form again that could not be done. */
type Again = (c: PageContext, hub: Registry, sent: Sent) => Promise<Shown> | Shown;
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

  /** Mounts a page. */
  on(id: RouteId, handler: Handler): void {
    this.router.on(id, (c) => this.#answer(c, handler));
  }

  /** Mounts what a form is sent to; what cannot be done shows its page `again`, as it was filled in. */
  form(id: RouteId, handler: Handler, again: Again): void {
    this.router.on(id, (c) =>
      this.#answer(c, async (_, hub) => {
        try {
          return await handler(c, hub);
        } catch (error) {
          const status = statusOf(error);
          if (!(error instanceof ScoutError) || status === undefined || status === 404) throw error;
          const shown = await again(c, hub, sentWith(c.get('form'), error));
          return this.show(c, { ...shown, title: `Not done: ${shown.title}` }, status);
        }
      }),
    );
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
      const status = statusOf(error);
      if (!(error instanceof ScoutError) || status === undefined) throw error;
      const text = sentence(error.problem.message);
      const back = c.req.method === 'POST' ? c.req.path : '/';
      const title = status === 404 ? 'Not found' : 'Not done';
      const body = html`<div class="message"><h1>${title}</h1><p>${text}</p><p><a href="${back}">${back === '/' ? 'To the fleet' : 'Back'}</a></p></div>`;
      return this.show(c, { title, body }, status);
    }
  }
}

/** The address by which somebody reaches the hub, for commands on the page. */
export const originOf = (c: PageContext): string => `https://${c.req.header('host') ?? 'ADDRESS-OF-THIS-HUB'}`;

/** How a page answers what people got wrong; undefined for what is not theirs to mend. */
function statusOf(error: unknown): 400 | 404 | 409 | undefined {
  if (!(error instanceof ScoutError)) return undefined;
  const { code } = error;
  if (!code.startsWith('HUB_')) return undefined;
  if (code.endsWith('_UNKNOWN')) return 404;
  if (/_(EXISTS|MOVED|LAST|POLICY|NAMED|ENDED)$/.test(code)) return 409;
  return /_(NAME|WEAK|FORM)$|^HUB_PUBLIC_KEY$/.test(code) ? 400 : undefined;
}
