import type { Context } from 'hono';
import { getCookie } from 'hono/cookie';
import { API_KEY_HEADER } from '../../protocol/wire.ts';
import type { Hub } from '../hub.ts';
import { COOKIE, csrfMatches, type Sessions } from '../people/session.ts';
import type { Registry } from '../servers.ts';
import { CHALLENGE, type Gate, keyUseOf } from './gate.ts';
import { csrfRefusal, sameOrigin } from './origin.ts';
import { Refusal } from './problems.ts';
import { addressOf, headersOf, type RouteEnv } from './requests.ts';
import { ROUTES, type Route, type RouteId } from './routes.ts';
import { lackOf, type Visitor } from './scopes.ts';

/** Header in which a script that acts by a session sends that session's token (GET /api/v1/session tells it). */
export const CSRF_HEADER = 'x-csrf-token';

/** Lets visitors in to routes as the table says (routes.ts): the one place where that is decided for all but heartbeats. */
export class Access {
  readonly #hub: Hub;
  readonly #gate: Gate;
  readonly #sessions: Sessions;

  constructor(hub: Hub, gate: Gate, sessions: Sessions) {
    this.#hub = hub;
    this.#gate = gate;
    this.#sessions = sessions;
  }

  /**
   * Who asks for a route that is not open to all. Throws a Refusal: 401 for nobody known, 403 for somebody who may not,
   * 429 where too many bad keys came from.
   */
  async admit(c: Context<RouteEnv>, id: RouteId): Promise<Visitor> {
    const route: Route = ROUTES[id];
    const visitor = await this.#identify(c, id, route);
    const lack = lackOf(visitor, id) ?? (visitor.kind === 'person' ? this.#foreign(c, route, visitor) : undefined);
    if (visitor.kind === 'person') {
      if (lack) throw lack;
      return visitor;
    }
    if (lack) throw this.#gate.count(lack, visitor.kind === 'agent' ? visitor.server : undefined);
    await this.#hub.store.useKey(keyUseOf(visitor), this.#hub.now());
    return visitor;
  }

  async #identify(c: Context<RouteEnv>, id: RouteId, { face, who }: Route): Promise<Visitor> {
    const keyed = c.req.header(API_KEY_HEADER) !== undefined || c.req.header('authorization') !== undefined;
    const byKey = who.agent === true || who.scope !== undefined;
    // A key that was sent is meant, also where a browser's cookie comes along.
    if (byKey && (keyed || !who.session)) return this.#gate.admit(headersOf(c), addressOf(c), id === 'GET /api/v1/whoami');
    const cookie = getCookie(c, COOKIE);
    const person = await this.#sessions.find(cookie, face === 'form' || isActive(c));
    if (person) return { kind: 'person', person };
    if (keyed && face === 'api') {
      // Who has a good key is told that it does not reach here, who has none that it is none.
      return this.#gate.admit(headersOf(c), addressOf(c));
    }
    if (byKey && cookie === undefined)
      throw new Refusal('key_missing', 'Send a key as X-API-Key or Authorization: Bearer KEY, or sign in.', { headers: CHALLENGE });
    throw new Refusal('signed_out', 'Sign in first: this is for people with a session.');
  }

  /** What changes something by a session must come from our own pages, and know the token of that session. */
  #foreign(c: Context<RouteEnv>, { face }: Route, { person }: Extract<Visitor, { kind: 'person' }>): Refusal | undefined {
    if (face !== 'api' || ['GET', 'HEAD'].includes(c.req.method)) return undefined;
    return sameOrigin(c, this.#hub) && csrfMatches(person, c.req.header(CSRF_HEADER)) ? undefined : csrfRefusal();
  }
}

/** A page that refreshes itself fetches; only what a person opens counts as use of the session. */
function isActive(c: Context): boolean {
  const mode = c.req.header('sec-fetch-mode');
  return mode === undefined || mode === 'navigate' || !['GET', 'HEAD'].includes(c.req.method);
}

/** The hub on behalf of a visitor: his organisation's things, his name in the audit trail. */
export function registryOf(hub: Pick<Hub, 'store' | 'now' | 'silentAfter'>, visitor: Visitor, address: string): Registry {
  const { store, now } = hub;
  const own = { store, now: () => now(), ...(hub.silentAfter && { silentAfter: hub.silentAfter }) };
  const of = (org: string, actor: string): Registry => ({ ...own, org, actor, address: address === '' ? null : address });
  if (visitor.kind === 'person') return of(visitor.person.org, `user:${visitor.person.name}`);
  if (visitor.kind === 'credential') return of(visitor.credential.org, `credential:${visitor.credential.name}`);
  return of(visitor.server.org, `agent:${visitor.server.name}`);
}
