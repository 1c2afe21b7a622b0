import type { OrgCredential, Scope } from './records.ts';

/** Who may use a route. Whoever is not named is kept out; none of them may be had of another organisation. */
export interface Who {
  /** Anybody, and nobody is asked who it is. */
  open?: true;
  /** A server with its own key, for what is its own. */
  agent?: true;
  /** Credentials of the organisation that have this scope; `any`: every credential. */
  scope?: Scope | 'any';
  /** People who are signed in. */
  session?: true;
  /** What a credential or a person has to be; a member will do unless given. */
  role?: Extract<OrgCredential['role'], 'admin'>;
}

/**
 * How a route is spoken to. `raw`: heartbeats, which have a door of their own (ingest/ingest.ts). `plain`: text or JSON for
 * whoever asks. `api`: JSON; who changes something by a session sends its token in X-CSRF-Token. `page`: HTML; who is not
 * signed in is sent to the form. `form`: what a page's form sends, with the token in a field.
 */
export type Face = 'raw' | 'plain' | 'api' | 'page' | 'form';

/** One row of the table. */
export interface Route {
  face: Face;
  who: Who;
  summary: string;
}

const row = (face: Face, who: Who, summary: string): Route => ({ face, who, summary });

const OPEN: Who = { open: true };
const AGENTS: Who = { agent: true, scope: 'any' };
const PEOPLE: Who = { session: true };
/** Reading is for members too, changing is for admins, whether they come by a session or by a credential. */
const READ: Who = { scope: 'fleet', session: true };

/**
 * Every route of the hub, and who may use it. Nothing is served that has no row here, and each row must have its handler
 * (router.ts); /openapi.json, the table in docs/hub.md and the tests of `npm run test:authz` are made from it.
 */
export const ROUTES = {
  'POST /api/v1/heartbeats': row('raw', { agent: true, scope: 'heartbeats' }, 'Send heartbeats'),
  'GET /api/v1/whoami': row('api', AGENTS, 'Whose key this is'),
  'POST /api/v1/keys/register': row(
    'api',
    { agent: true, scope: 'keys' },
    'Register a key that the agent made, by its SHA-256 or public half',
  ),
  'POST /api/v1/keys/mint': row('api', { agent: true, scope: 'keys' }, 'Have a new key made'),
  'POST /api/v1/keys/retire': row(
    'api',
    { agent: true, scope: 'keys' },
    'End another key of the same server or credential, never the one that asks',
  ),
  'POST /api/v1/enroll': row('api', OPEN, 'Have the key of a new host taken, by a token that works once'),
  'GET /api/v1/authority': row('api', OPEN, 'The certificate of the authority that signed this service\u2019s own'),

  'GET /api/v1/servers': row('api', READ, 'Every server and how it stands'),
  'GET /api/v1/servers/:name': row('api', READ, 'One server: its keys, and what came in from each agent instance'),
  'GET /api/v1/servers/:name/keys': row('api', READ, 'The keys of one server, by fingerprint'),
  'GET /api/v1/servers/:name/series': row('api', READ, 'Recent values of one metric'),

  'GET /': row('page', PEOPLE, 'The fleet'),
  'GET /servers/:name': row('page', PEOPLE, 'One server'),
  'GET /sign-in': row('page', OPEN, 'The form to sign in'),
  'POST /sign-in': row('form', OPEN, 'Sign in'),
  'POST /sign-out': row('form', PEOPLE, 'Sign out'),
  'GET /assets/:name': row('plain', OPEN, 'Styles and scripts of the pages'),

  'GET /healthz': row('plain', OPEN, 'Whether the process runs'),
  'GET /readyz': row('plain', OPEN, 'Whether requests can be served'),
  'GET /metrics': row('plain', OPEN, 'Figures of the hub itself, as Prometheus reads them'),
  'GET /openapi.json': row('plain', OPEN, 'The description of the API'),
} as const satisfies Record<string, Route>;

/** Method and path of a route. */
export type RouteId = keyof typeof ROUTES;

/** Every row, with its method and path apart. */
export function routes(): (Route & { id: RouteId; method: string; path: string })[] {
  return Object.entries(ROUTES).map(([id, route]) => {
    const [method = '', path = ''] = id.split(' ');
    return { ...route, id: id as RouteId, method, path };
  });
}
