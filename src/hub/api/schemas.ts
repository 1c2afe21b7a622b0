import * as z from 'zod';
import { authoritySchema, enrolledSchema, enrollSchema } from '../../protocol/enroll.ts';
import { acceptedSchema, heartbeatSchema, problemSchema, whoamiSchema } from '../../protocol/heartbeat.ts';
import { mintedSchema, mintSchema, registeredSchema, registerSchema, retiredSchema, retireSchema } from '../../protocol/keys.ts';
import * as management from '../../protocol/management.ts';
import { keyViewSchema, serverDetailsSchema, serverSummarySchema } from '../../protocol/servers.ts';
import type { ROUTES, RouteId } from '../http/routes.ts';

/** Every schema that /openapi.json names. */
export const SCHEMAS = {
  Heartbeat: heartbeatSchema,
  Accepted: acceptedSchema,
  Whoami: whoamiSchema,
  Problem: problemSchema,
  KeyRegistration: registerSchema,
  Registered: registeredSchema,
  Mint: mintSchema,
  Minted: mintedSchema,
  Retirement: retireSchema,
  Retired: retiredSchema,
  Enrollment: enrollSchema,
  Enrolled: enrolledSchema,
  Authority: authoritySchema,
  ServerSummary: serverSummarySchema,
  ServerDetails: serverDetailsSchema,
  NewServer: management.newServerSchema,
  AddedServer: management.addedServerSchema,
  ServerChange: management.serverChangeSchema,
  Key: keyViewSchema,
  NewKey: management.newKeySchema,
  AddedKey: management.addedKeySchema,
  KeyChange: management.keyChangeSchema,
  Rotation: management.rotationRequestSchema,
  Rotated: management.rotatedSchema,
  Nothing: management.emptySchema,
  RetiredKeys: management.retiredKeysSchema,
  Token: management.tokenViewSchema,
  NewToken: management.newTokenSchema,
  MadeToken: management.madeTokenSchema,
  Credential: management.credentialViewSchema,
  NewCredential: management.newCredentialSchema,
  AddedCredential: management.addedCredentialSchema,
  CredentialChange: management.credentialChangeSchema,
  User: management.userViewSchema,
  NewUser: management.newUserSchema,
  UserChange: management.userChangeSchema,
  SignedOut: management.signedOutSchema,
  Session: management.sessionViewSchema,
  OwnPassword: management.ownPasswordSchema,
  AuditPage: management.auditPageSchema,
  AuditVerdict: management.auditVerdictSchema,
  Series: z.object({
    server: z.string(),
    metric: z.string(),
    unit: z.string().nullable(),
    kind: z.enum(['rate', 'value']),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    most_points: z.int(),
    times: z.array(z.number()),
    series: z.array(z.object({ attributes: z.record(z.string(), z.unknown()), values: z.array(z.number().nullable()) })),
  }),
};

type Name = keyof typeof SCHEMAS;

/** What a route takes and answers; `status` 200 unless given, 204 without an answer. */
export interface Bodies {
  asks?: Name;
  answers?: Name | [Name] | 'lines';
  status?: 201;
  query?: Record<string, string>;
}

type Described = { [Id in RouteId]: (typeof ROUTES)[Id]['face'] extends 'api' ? Id : never }[RouteId];

const instant = 'RFC 3339, or milliseconds since the epoch';

/** The bodies of every route of the API, but for heartbeats. */
export const BODIES: Record<Exclude<Described, 'GET /events'>, Bodies> = {
  'GET /api/v1/whoami': { answers: 'Whoami' },
  'POST /api/v1/keys/register': { asks: 'KeyRegistration', answers: 'Registered' },
  'POST /api/v1/keys/mint': { asks: 'Mint', answers: 'Minted' },
  'POST /api/v1/keys/retire': { asks: 'Retirement', answers: 'Retired' },
  'POST /api/v1/enroll': { asks: 'Enrollment', answers: 'Enrolled' },
  'GET /api/v1/authority': { answers: 'Authority' },
  'GET /api/v1/servers': { answers: ['ServerSummary'] },
  'POST /api/v1/servers': { asks: 'NewServer', answers: 'AddedServer', status: 201 },
  'GET /api/v1/servers/:name': { answers: 'ServerDetails' },
  'PATCH /api/v1/servers/:name': { asks: 'ServerChange', answers: 'ServerDetails' },
  'DELETE /api/v1/servers/:name': {},
  'GET /api/v1/servers/:name/series': {
    answers: 'Series',
    query: { metric: 'Name of the metric.', from: `${instant}; an hour before \`to\` unless given.`, to: `${instant}; now unless given.` },
  },
  'GET /api/v1/servers/:name/keys': { answers: ['Key'] },
  'POST /api/v1/servers/:name/keys': { asks: 'NewKey', answers: 'AddedKey', status: 201 },
  'POST /api/v1/servers/:name/keys/rotate': { asks: 'Rotation', answers: 'Rotated' },
  'POST /api/v1/servers/:name/keys/retire': { asks: 'Nothing', answers: 'RetiredKeys' },
  'PATCH /api/v1/servers/:name/keys/:key': { asks: 'KeyChange', answers: 'Key' },
  'DELETE /api/v1/servers/:name/keys/:key': { query: { force: '`true`: also the last key that works.' } },
  'GET /api/v1/tokens': { answers: ['Token'] },
  'POST /api/v1/tokens': { asks: 'NewToken', answers: 'MadeToken', status: 201 },
  'DELETE /api/v1/tokens/:fingerprint': {},
  'GET /api/v1/credentials': { answers: ['Credential'] },
  'POST /api/v1/credentials': { asks: 'NewCredential', answers: 'AddedCredential', status: 201 },
  'PATCH /api/v1/credentials/:name': { asks: 'CredentialChange', answers: 'Credential' },
  'DELETE /api/v1/credentials/:name': {},
  'GET /api/v1/users': { answers: ['User'] },
  'POST /api/v1/users': { asks: 'NewUser', answers: 'User', status: 201 },
  'PATCH /api/v1/users/:name': { asks: 'UserChange', answers: 'User' },
  'DELETE /api/v1/users/:name': {},
  'POST /api/v1/users/:name/sign-out': { answers: 'SignedOut' },
  'GET /api/v1/session': { answers: 'Session' },
  'DELETE /api/v1/session': {},
  'DELETE /api/v1/sessions': {},
  'POST /api/v1/session/password': { asks: 'OwnPassword' },
  'GET /api/v1/audit': {
    answers: 'AuditPage',
    query: { from: 'Number of the first line; 1 unless given.', most: '1,000 at most; 100 unless given.' },
  },
  'GET /api/v1/audit/export': { answers: 'lines' },
  'GET /api/v1/audit/verify': { answers: 'AuditVerdict' },
};
