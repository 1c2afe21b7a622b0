import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ScoutError } from '../../support/errors.ts';
import type { Hub } from '../hub.ts';
import { type Access, registryOf } from './access.ts';
import type { Gate } from './gate.ts';
import { Refusal, refusalOf } from './problems.ts';
import { addressOf, BODY_MOST, type RouteEnv } from './requests.ts';
import { ROUTES, type Route, type RouteId, routes } from './routes.ts';
import type { Visitor } from './scopes.ts';

export type Handler = (c: Context<RouteEnv>) => Response | Promise<Response>;

/** What is done at a route besides handling it. */
export interface Extra {
  /** Asked before anybody is admitted; an answer of its own ends it there. */
  before?: (c: Context<RouteEnv>) => Promise<Response | undefined>;
}

/** How the faces of the table are served; the pages bring their own. */
export interface Faces {
  /** Around every answer. */
  around: MiddlewareHandler<RouteEnv>;
  /** Around the answers of pages and forms, and where there is nothing. */
  readable: MiddlewareHandler<RouteEnv>;
  /** Reads and checks what a form of ours sends, for a visitor or nobody. */
  form: MiddlewareHandler<RouteEnv>;
  /** The answer to nobody at a page. */
  signIn: Handler;
}

/**
 * Mounts handlers at the routes of the table, and at nothing else: each is behind what its row says of who may use it.
 * A handler finds the visitor in `visitor`, on whose behalf the functions of the hub act in `registry`.
 */
export class Router {
  readonly #hub: Hub;
  readonly #gate: Gate;
  readonly #access: Access;
  readonly #faces: Faces;
  readonly #app = new Hono<RouteEnv>();
  readonly #mounted = new Set<RouteId>();

  constructor(hub: Hub, gate: Gate, access: Access, faces: Faces) {
    this.#hub = hub;
    this.#gate = gate;
    this.#access = access;
    this.#faces = faces;
  }

  /** Mounts the handler of a route. Throws where the table has no such row, or it has its handler. */
  on(id: RouteId, handler: Handler, extra: Extra = {}): this {
    const route: Route | undefined = Object.hasOwn(ROUTES, id) ? ROUTES[id] : undefined;
    if (!route || route.face === 'raw' || this.#mounted.has(id)) throw new Error(`${id} has no row in the table, or a handler already`);
    this.#mounted.add(id);
    const [method = '', path = ''] = id.split(' ');
    const html = route.face === 'page' || route.face === 'form';
    this.#app.on(method, path, this.#faces.around, ...(html ? [this.#faces.readable] : []), ...this.#steps(id, route, extra), (c) =>
      handler(c),
    );
    return this;
  }

  /** The application, once every row has its handler: answers 405 and 404 to all else. Throws where one has none. */
  finish(): Hono<RouteEnv> {
    const lacking = routes().filter(({ id, face }) => face !== 'raw' && !this.#mounted.has(id));
    if (lacking.length > 0) throw new Error(`without a handler: ${lacking.map(({ id }) => id).join(', ')}`);
    const { around, readable } = this.#faces;
    for (const [path, rows] of Map.groupBy(routes(), (row) => row.path))
      this.#app.all(path, around, () => notAllowed(rows.map((row) => row.method)));
    // A route rather than a notFound handler: so that the headers and the page for people are its as well.
    this.#app.all('*', around, readable, () => {
      throw new Refusal('not_found', 'There is nothing here.');
    });
    this.#app.onError((error) => {
      const refusal = refusalOf(error);
      if (refusal.code === 'internal') this.#hub.log?.error({ err: error }, 'a request failed');
      return refusal.response();
    });
    return this.#app;
  }

  #steps(id: RouteId, { face, who }: Route, { before }: Extra): MiddlewareHandler<RouteEnv>[] {
    const steps: MiddlewareHandler<RouteEnv>[] = [];
    if (!id.startsWith('GET ')) steps.push(this.#limit());
    if (before) steps.push(async (c, next) => (await before(c)) ?? next());
    if (!who.open) steps.push((c, next) => this.#admit(c, id, face, next));
    if (face === 'form') steps.push(this.#faces.form);
    return steps;
  }

  #limit(): MiddlewareHandler<RouteEnv> {
    const refuse = () =>
      this.#gate.count(new Refusal('body_too_large', `A body of these routes has ${BODY_MOST / 1_024} KiB at most.`)).response();
    return bodyLimit({ maxSize: BODY_MOST, onError: refuse });
  }

  async #admit(c: Context<RouteEnv>, id: RouteId, face: Route['face'], next: () => Promise<void>): Promise<Response | undefined> {
    let visitor: Visitor;
    try {
      visitor = await this.#access.admit(c, id);
    } catch (error) {
      const nobody = error instanceof Refusal && error.code === 'signed_out';
      if (nobody && (face === 'page' || face === 'form') && !c.req.header('x-scout-fragment')) return this.#faces.signIn(c);
      throw error;
    }
    c.set('visitor', visitor);
    if (visitor.kind === 'person') c.set('person', visitor.person);
    c.set('registry', registryOf(this.#hub, visitor, addressOf(c)));
    await next();
    // Hono hands what a handler threw to onError, and keeps it here: what was refused to a key counts for it.
    if (visitor.kind !== 'person' && c.error) this.#count(c, visitor, c.error);
    return undefined;
  }

  #count(c: Context<RouteEnv>, visitor: Exclude<Visitor, { kind: 'person' }>, error: Error): void {
    const gone = visitor.kind === 'agent' && error instanceof ScoutError && error.code === 'HUB_SERVER_UNKNOWN';
    if (gone) c.res = new Refusal('key_refused', 'The server of this key was removed.').response();
    const refusal = gone ? new Refusal('key_refused', 'The server of this key was removed.') : refusalOf(error);
    if (refusal.code !== 'internal') this.#gate.count(refusal, visitor.kind === 'agent' && !gone ? visitor.server : undefined);
  }
}

function notAllowed(methods: string[]): Response {
  const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)).join(', ');
  return new Refusal('method_not_allowed', `This is asked for with ${methods.join(' or ')}.`, { headers: { allow } }).response();
}
