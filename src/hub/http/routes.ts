import type { OrgCredential, Scope } from '../store/records.ts';
import { PAGE_ROUTES } from './page-routes.ts';

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
type Face = 'raw' | 'plain' | 'api' | 'page' | 'form';

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
const KEYS: Who = { scope: 'keys', session: true, role: 'admin' };
const ADMIN: Who = { scope: 'admin', session: true, role: 'admin' };

/**
 * Every route of the hub, and who may use it. Nothing is served that has no row here, and each row must have its handler
 * (router.ts); /openapi.json, the table in docs/api.md and the tests of `npm run test:authz` are made from it.
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
  'POST /api/v1/servers': row('api', KEYS, 'Register a server, with a key made here or elsewhere'),
  'GET /api/v1/servers/:name': row('api', READ, 'One server: its keys, and what came in from each agent instance'),
  'PATCH /api/v1/servers/:name': row('api', KEYS, 'Change the policy and the window of a server'),
  'DELETE /api/v1/servers/:name': row('api', ADMIN, 'Forget a server, its keys and its heartbeats'),
  'GET /api/v1/servers/:name/series': row('api', READ, 'Values of one metric over a range'),
  'GET /api/v1/servers/:name/keys': row('api', READ, 'The keys of one server, by fingerprint'),
  'POST /api/v1/servers/:name/keys': row('api', KEYS, 'Add a key beside the others (policy multi)'),
  'POST /api/v1/servers/:name/keys/rotate': row('api', KEYS, 'Replace the key; the policy says what becomes of the old one'),
  'POST /api/v1/servers/:name/keys/retire': row('api', KEYS, 'End the previous keys at once'),
  'PATCH /api/v1/servers/:name/keys/:key': row('api', KEYS, 'Enable, disable or rename a key (policy multi)'),
  'DELETE /api/v1/servers/:name/keys/:key': row('api', KEYS, 'End a key for good (policy multi)'),

  'GET /api/v1/tokens': row('api', KEYS, 'Every enrolment token that is kept'),
  'POST /api/v1/tokens': row('api', KEYS, 'Make a token by which one host enrols, once'),
  'DELETE /api/v1/tokens/:fingerprint': row('api', KEYS, 'End a token'),

  'GET /api/v1/credentials': row('api', READ, 'Every credential of the organisation'),
  'POST /api/v1/credentials': row('api', ADMIN, 'Add a credential, with a key made here or elsewhere'),
  'PATCH /api/v1/credentials/:name': row('api', ADMIN, 'Enable, disable or rename a credential'),
  'DELETE /api/v1/credentials/:name': row('api', ADMIN, 'End a credential for good'),

  'GET /api/v1/users': row('api', ADMIN, 'Who may sign in'),
  'POST /api/v1/users': row('api', ADMIN, 'Add a person'),
  'PATCH /api/v1/users/:name': row('api', ADMIN, 'Give a person another role or password'),
  'DELETE /api/v1/users/:name': row('api', ADMIN, 'Let a person sign in no more'),
  'POST /api/v1/users/:name/sign-out': row('api', ADMIN, 'End every session of a person'),

  'GET /api/v1/session': row('api', PEOPLE, 'Who is signed in, and the token of the session'),
  'DELETE /api/v1/session': row('api', PEOPLE, 'Sign out'),
  'DELETE /api/v1/sessions': row('api', PEOPLE, 'Sign out everywhere'),
  'POST /api/v1/session/password': row('api', PEOPLE, 'Another password of one\u2019s own, by the old one'),

  'GET /api/v1/audit': row('api', ADMIN, 'A page of the audit trail'),
  'GET /api/v1/audit/export': row('api', ADMIN, 'The whole audit trail as JSON lines'),
  'GET /api/v1/audit/verify': row('api', ADMIN, 'Whether the chain of the audit trail is whole'),

  ...PAGE_ROUTES,

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
