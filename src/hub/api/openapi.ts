import * as z from 'zod';
import { authoritySchema, enrolledSchema, enrollSchema } from '../../protocol/enroll.ts';
import { acceptedSchema, heartbeatSchema, problemSchema, whoamiSchema } from '../../protocol/heartbeat.ts';
import { mintedSchema, mintSchema, registeredSchema, registerSchema, retiredSchema, retireSchema } from '../../protocol/keys.ts';
import { keyViewSchema, serverDetailsSchema, serverSummarySchema } from '../../protocol/servers.ts';
import { API_KEY_HEADER, BATCH_MAX_BYTES, BATCH_MAX_COUNT, BODY_MAX_BYTES, CONTENT_TYPE, PATHS } from '../../protocol/wire.ts';

type Json = Record<string, unknown>;

const SCHEMAS = {
  Heartbeat: heartbeatSchema,
  Accepted: acceptedSchema,
  Whoami: whoamiSchema,
  Problem: problemSchema,
  ServerSummary: serverSummarySchema,
  ServerDetails: serverDetailsSchema,
  Key: keyViewSchema,
  KeyRegistration: registerSchema,
  Registered: registeredSchema,
  Mint: mintSchema,
  Minted: mintedSchema,
  Retirement: retireSchema,
  Retired: retiredSchema,
  Enrollment: enrollSchema,
  Enrolled: enrolledSchema,
  Authority: authoritySchema,
};

const ref = (name: keyof typeof SCHEMAS): Json => ({ $ref: `#/components/schemas/${name}` });
const content = (type: string, schema: Json): Json => ({ [type]: { schema } });
const ok = (description: string, schema: Json, type = 'application/json'): Json => ({
  200: { description, content: content(type, schema) },
});

/** Why each status comes; the words are those of the field `code`. */
const REASONS: Record<number, string> = {
  303: 'Not signed in, or done: go to the address in Location.',
  400: 'Not understood: heartbeat_invalid, key_invalid, idempotency_key, bad_request. Nothing was stored or changed.',
  401: 'No key, or none that is good: key_missing, key_refused. For people: signed_out.',
  403: 'Known, but not permitted: forbidden. Of a token: token_refused.',
  404: 'Not there: not_found.',
  409: 'Contradicts what there is: key_exists, key_in_use, key_last, keys_full, idempotency_used. Nothing was changed.',
  413: 'More than one request may carry: body_too_large.',
  415: 'unsupported_type, unsupported_encoding.',
  429: 'Too many failures: too_many. Retry-After says when to come back.',
  503: 'Not ready: not_ready.',
};

function failures(...statuses: number[]): Json {
  const answers = statuses.map((status) => [
    status,
    { description: REASONS[status], content: content('application/problem+json', ref('Problem')) },
  ]);
  return Object.fromEntries(answers) as Json;
}

const asAgent = [{ apiKey: [] }, { bearer: [] }];
const asPerson = [{ session: [] }];
const parameter = (name: string, where: 'path' | 'query', description: string): Json => ({
  name,
  in: where,
  required: where === 'path',
  description,
  schema: { type: 'string' },
});
const serverName = parameter('name', 'path', 'Name of the server.');
const html = (summary: string, ...more: number[]): Json => ({
  summary,
  security: asPerson,
  responses: { ...ok('A page.', { type: 'string' }, 'text/html'), ...failures(303, ...more) },
});
const open = (summary: string, type: string, ...more: number[]): Json => ({
  summary,
  security: [],
  responses: { ...ok(summary, { type: type === 'application/json' ? 'object' : 'string' }, type), ...failures(...more) },
});

const heartbeats: Json = {
  summary: 'Send heartbeats',
  description:
    'One heartbeat a line; frames of zstd and members of gzip may be joined. All of a batch is stored or none of it; what ' +
    `was stored before counts as a duplicate. At most ${BATCH_MAX_COUNT} heartbeats, ${BATCH_MAX_BYTES} bytes compressed, ` +
    `${BODY_MAX_BYTES} bytes uncompressed.`,
  security: asAgent,
  parameters: [
    { name: 'Content-Encoding', in: 'header', required: false, description: 'How the body is packed.', schema: { enum: ['zstd', 'gzip'] } },
  ],
  requestBody: {
    required: true,
    content: {
      ...content(CONTENT_TYPE, ref('Heartbeat')),
      ...content('application/json', { oneOf: [ref('Heartbeat'), { type: 'array', items: ref('Heartbeat') }] }),
    },
  },
  responses: { ...ok('Stored durably.', ref('Accepted')), ...failures(400, 401, 403, 413, 415, 429) },
};

const idempotencyKey: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: true,
  description: 'The same key that asks with the same value gets the same new key, for a day, also when it has ended by then.',
  schema: { type: 'string', minLength: 16, maxLength: 128 },
};
const keyRoute = (summary: string, asked: keyof typeof SCHEMAS, answered: keyof typeof SCHEMAS, parameters: Json[] = []): Json => ({
  post: {
    summary,
    security: asAgent,
    ...(parameters.length > 0 && { parameters }),
    requestBody: { required: parameters.length === 0, content: content('application/json', ref(asked)) },
    responses: { ...ok('Done, or done before.', ref(answered)), ...failures(400, 401, 403, 409, 413, 415, 429) },
  },
});

const PATH_ITEMS: Record<string, Json> = {
  [PATHS.heartbeats]: { post: heartbeats },
  [PATHS.whoami]: {
    get: {
      summary: 'Whose key this is',
      security: asAgent,
      responses: { ...ok('The server of the key.', ref('Whoami')), ...failures(401, 429) },
    },
  },
  [PATHS.register]: keyRoute('Register a key that the agent made, by its SHA-256 or public half', 'KeyRegistration', 'Registered'),
  [PATHS.mint]: keyRoute('Have a new key made', 'Mint', 'Minted', [idempotencyKey]),
  [PATHS.retire]: keyRoute('End another key of the same server, never the one that asks', 'Retirement', 'Retired'),
  [PATHS.enroll]: {
    post: {
      summary: 'Have the key of a new host taken, by a token that works once',
      security: [],
      requestBody: { required: true, content: content('application/json', ref('Enrollment')) },
      responses: { ...ok('Done, or done before with the same token and key.', ref('Enrolled')), ...failures(400, 403, 409, 413, 415, 429) },
    },
  },
  [PATHS.authority]: {
    get: {
      summary: 'The certificate of the authority that signed this service\u2019s own',
      description: 'Where the service has an authority of its own. Trust it after comparing its SHA-256 with what a token says.',
      security: [],
      responses: { ...ok('PEM.', ref('Authority')), ...failures(404) },
    },
  },
  '/api/v1/servers': {
    get: {
      summary: 'Every server and how it stands',
      security: asPerson,
      responses: { ...ok('By name.', { type: 'array', items: ref('ServerSummary') }), ...failures(401) },
    },
  },
  '/api/v1/servers/{name}': {
    get: {
      summary: 'One server: its keys, and what came in from each agent instance',
      security: asPerson,
      parameters: [serverName],
      responses: { ...ok('The server.', ref('ServerDetails')), ...failures(401, 404) },
    },
  },
  '/api/v1/servers/{name}/keys': {
    get: {
      summary: 'The keys of one server, by fingerprint',
      security: asPerson,
      parameters: [serverName],
      responses: { ...ok('The keys.', { type: 'array', items: ref('Key') }), ...failures(401, 404) },
    },
  },
  '/api/v1/servers/{name}/series': {
    get: {
      summary: 'Recent values of one metric',
      security: asPerson,
      parameters: [
        serverName,
        parameter('metric', 'query', 'Name of the metric.'),
        parameter('from', 'query', 'RFC 3339, or milliseconds since the epoch; an hour before `to` unless given.'),
        parameter('to', 'query', 'RFC 3339, or milliseconds since the epoch; now unless given.'),
      ],
      responses: { ...ok('Times, and values by attributes.', { type: 'object' }), ...failures(400, 401, 404) },
    },
  },
  '/': { get: html('The fleet') },
  '/servers/{name}': { get: { ...html('One server', 404), parameters: [serverName] } },
  '/sign-in': {
    get: { ...html('The form to sign in'), security: [] },
    post: { ...html('Sign in', 403, 413, 429), security: [] },
  },
  '/sign-out': { post: html('Sign out', 403, 413) },
  '/assets/{name}': {
    get: { ...open('Styles and scripts of the pages', 'text/plain', 404), parameters: [parameter('name', 'path', 'Name of the file.')] },
  },
  '/healthz': { get: open('Whether the process runs', 'text/plain') },
  '/readyz': { get: open('Whether requests can be served', 'text/plain', 503) },
  '/metrics': { get: open('Figures of the hub itself, as Prometheus reads them', 'text/plain') },
  '/openapi.json': { get: open('This document', 'application/json') },
};

/** The published description of every route (OpenAPI 3.1), made from the schemas that the hub itself checks with. */
export function openapi(version: string): Json {
  const schemas = Object.entries(SCHEMAS).map(([name, schema]) => {
    const { $schema, ...rest } = z.toJSONSchema(schema);
    return [name, rest];
  });
  return {
    openapi: '3.1.1',
    info: { title: 'scout-hub', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths: PATH_ITEMS,
    components: {
      schemas: Object.fromEntries(schemas) as Json,
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: API_KEY_HEADER },
        bearer: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: '__Host-scout' },
      },
    },
  };
}
