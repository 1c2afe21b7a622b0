import * as z from 'zod';
import { API_KEY_HEADER, BATCH_MAX_BYTES, BATCH_MAX_COUNT, BODY_MAX_BYTES, CONTENT_TYPE } from '../../protocol/wire.ts';
import { CSRF_HEADER } from '../http/access.ts';
import { type Route, type RouteId, routes, type Who } from '../http/routes.ts';
import { COOKIE } from '../people/session.ts';
import { BODIES, type Bodies, SCHEMAS } from './schemas.ts';

type Json = Record<string, unknown>;

const ref = (name: keyof typeof SCHEMAS): Json => ({ $ref: `#/components/schemas/${name}` });
const content = (type: string, schema: Json): Json => ({ [type]: { schema } });

/** Why each status comes; the words are those of the field `code`. */
const REASONS: Record<number, string> = {
  303: 'Not signed in, or done: go to the address in Location.',
  400: 'Not understood: heartbeat_invalid, key_invalid, idempotency_key, invalid, bad_request. Nothing was stored or changed.',
  401: 'Nobody that is known: key_missing, key_refused. For people: signed_out.',
  403: 'Known, but not permitted: forbidden. Of a token: token_refused; of one\u2019s own password: password_wrong.',
  404: 'Not there: not_found.',
  409: 'Contradicts what there is: exists, key_exists, key_in_use, key_last, keys_full, last_admin, moved, policy, idempotency_used. Nothing was changed.',
  413: 'More than one request may carry: body_too_large.',
  415: 'unsupported_type, unsupported_encoding.',
  429: 'Too many failures: too_many. Retry-After says when to come back.',
  503: 'Not ready: not_ready.',
};

function failures(statuses: number[]): Json {
  const problem = content('application/problem+json', ref('Problem'));
  return Object.fromEntries(statuses.map((status) => [status, { description: REASONS[status], content: problem }])) as Json;
}

const parameter = (name: string, where: 'path' | 'query' | 'header', description: string, schema: Json = { type: 'string' }): Json => ({
  name,
  in: where,
  required: where === 'path',
  description,
  schema,
});

const NAMES: Record<string, string> = {
  name: 'Its name.',
  key: 'Name or fingerprint of the key.',
  fingerprint: 'First 12 hex digits of its SHA-256.',
  id: 'Its id.',
};
const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => parameter(name, 'path', NAMES[name] ?? 'As it is called.'));

function securityOf({ open, agent, scope, session }: Who): Json[] {
  if (open) return [];
  const byKey = agent || scope ? [{ apiKey: [] }, { bearer: [] }] : [];
  return [...byKey, ...(session ? [{ session: [] }] : [])];
}

/** In words, who may. */
export function whoIn({ open, agent, scope, session, role }: Who): string {
  if (open) return 'anybody';
  const credential = scope && `${scope === 'any' ? 'any credential' : `credentials with the scope \`${scope}\``}`;
  const people = session && 'people who are signed in';
  const kinds = [agent && 'servers with their own key', credential, people].filter((kind) => typeof kind === 'string');
  return `${kinds.join(', ')}${role ? ', admins only' : ''}`;
}

type Row = ReturnType<typeof routes>[number];

const MINTING = parameter(
  'Idempotency-Key',
  'header',
  'The same key that asks with the same value gets the same new key, for a day, also when it has ended by then.',
  { type: 'string', minLength: 16, maxLength: 128 },
);

function statusesOf({ method, path, who }: Row, { asks }: Bodies): number[] {
  const reading = method === 'GET';
  return [
    ...(asks || !reading || path.endsWith('/series') || path.endsWith('/audit') ? [400] : []),
    ...(who.open ? [] : [401]),
    ...(who.open ? (path.endsWith('/enroll') ? [403] : []) : [403]),
    ...(path.includes(':') || path.endsWith('/authority') ? [404] : []),
    ...(reading ? [] : [409, 413]),
    ...(asks ? [415] : []),
    ...(who.agent || who.scope || path.endsWith('/enroll') || path.endsWith('/password') ? [429] : []),
  ];
}

function answerOf({ answers, status }: Bodies): Json {
  if (answers === undefined) return { 204: { description: 'Done.' } };
  if (answers === 'lines') return { 200: { description: 'One line of JSON each.', content: content(CONTENT_TYPE, { type: 'string' }) } };
  const schema = Array.isArray(answers) ? { type: 'array', items: ref(answers[0]) } : ref(answers);
  return { [status ?? 200]: { description: status === 201 ? 'Made.' : 'Done.', content: content('application/json', schema) } };
}

function apiOperation(row: Row): Json {
  const bodies = (BODIES as Partial<Record<RouteId, Bodies>>)[row.id];
  if (!bodies) return eventsOperation(row);
  const byPeople = row.who.session && row.method !== 'GET';
  const parameters = [
    ...pathParameters(row.path),
    ...Object.entries(bodies.query ?? {}).map(([name, text]) => parameter(name, 'query', text)),
    ...(row.path.endsWith('/mint') ? [MINTING] : []),
    ...(byPeople ? [parameter(CSRF_HEADER, 'header', 'By a session only: `csrf` of GET /api/v1/session.')] : []),
  ];
  return {
    ...headOf(row),
    ...(parameters.length > 0 && { parameters }),
    ...(bodies.asks && { requestBody: { required: !row.path.endsWith('/mint'), content: content('application/json', ref(bodies.asks)) } }),
    responses: { ...answerOf(bodies), ...failures(statusesOf(row, bodies)) },
  };
}

function eventsOperation(row: Row): Json {
  const events = { 200: { description: 'Server-sent events.', content: content('text/event-stream', { type: 'string' }) } };
  return { ...headOf(row), responses: { ...events, ...failures([401]) } };
}

const headOf = ({ summary, who }: Pick<Route, 'summary' | 'who'>): Json => ({
  summary,
  description: `For ${whoIn(who)}.`,
  security: securityOf(who),
});

function heartbeatsOperation(row: Row): Json {
  return {
    ...headOf(row),
    description:
      `For ${whoIn(row.who)}. One heartbeat a line; frames of zstd and members of gzip may be joined. All of a batch is stored or ` +
      `none of it; what was stored before counts as a duplicate. At most ${BATCH_MAX_COUNT} heartbeats, ${BATCH_MAX_BYTES} bytes ` +
      `compressed, ${BODY_MAX_BYTES} bytes uncompressed.`,
    parameters: [parameter('Content-Encoding', 'header', 'How the body is packed.', { enum: ['zstd', 'gzip'] })],
    requestBody: {
      required: true,
      content: {
        ...content(CONTENT_TYPE, ref('Heartbeat')),
        ...content('application/json', { oneOf: [ref('Heartbeat'), { type: 'array', items: ref('Heartbeat') }] }),
      },
    },
    responses: {
      200: { description: 'Stored durably.', content: content('application/json', ref('Accepted')) },
      ...failures([400, 401, 403, 413, 415, 429]),
    },
  };
}

function pageOperation(row: Row): Json {
  const parameters = pathParameters(row.path);
  const type = row.path === '/openapi.json' ? 'application/json' : row.face === 'plain' ? 'text/plain' : 'text/html';
  const body = type === 'application/json' ? { type: 'object' } : { type: 'string' };
  const form = row.face === 'form' ? [400, 403, 413, 415] : [];
  const more = [
    ...(row.face === 'plain' ? [] : [303]),
    ...form,
    ...(row.path.includes(':') ? [404] : []),
    ...(row.path === '/sign-in' && row.method === 'POST' ? [429] : []),
    ...(row.path === '/readyz' ? [503] : []),
  ];
  return {
    ...headOf(row),
    ...(parameters.length > 0 && { parameters }),
    responses: { 200: { description: row.summary, content: content(type, body) }, ...failures(more) },
  };
}

function operationOf(row: Row): Json {
  if (row.face === 'raw') return heartbeatsOperation(row);
  return row.face === 'api' ? apiOperation(row) : pageOperation(row);
}

/** The published description of every route (OpenAPI 3.1), made from the table of routes and the schemas that the hub checks with. */
export function openapi(version: string): Json {
  const schemas = Object.entries(SCHEMAS).map(([name, schema]) => {
    const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
    return [name, rest];
  });
  const paths: Record<string, Json> = {};
  for (const row of routes()) {
    const path = row.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [row.method.toLowerCase()]: operationOf(row) };
  }
  return {
    openapi: '3.1.1',
    info: { title: 'scout-hub', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: {
      schemas: Object.fromEntries(schemas) as Json,
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: API_KEY_HEADER },
        bearer: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: COOKIE },
      },
    },
  };
}
