import * as z from 'zod';

/* How people and scripts manage the fleet: bodies and answers of the routes under /api/v1 that agents have no use for. */

const when = z.iso.datetime().nullable();
const name = z.string().min(1).max(128);
const policy = z.enum(['immediate', 'grace', 'multi']);
const slot = z.enum(['current', 'previous', 'next']);
const role = z.enum(['admin', 'member']);
const scopes = z.array(z.enum(['heartbeats', 'fleet', 'keys', 'admin']));
const password = z.string().min(1).max(1_024);
/** Seconds, a hundred years at most. */
const seconds = z
  .number()
  .min(0)
  .max(36_500 * 86_400);
const life = seconds.min(1);
/** Of a key that whoever asks has made, hex; the hub then makes none, and the request may be repeated. */
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Fingerprints of the keys that the asker has seen; where others stand there by now, nothing is done. */
const standing = z.array(z.string()).max(1_000).optional();

/** POST /api/v1/servers */
export const newServerSchema = z.strictObject({
  name,
  policy: policy.default('grace'),
  grace: seconds.default(86_400),
  sha256: sha256.optional(),
});
/** 201 of it; `key` is shown this once, and not where only its SHA-256 was told. */
export const addedServerSchema = z.object({ server_id: z.string(), name: z.string(), key: z.string().optional(), fingerprint: z.string() });
/** PATCH /api/v1/servers/NAME */
export const serverChangeSchema = z.strictObject({ policy: policy.optional(), grace: seconds.optional() });

/** POST /api/v1/servers/NAME/keys/rotate; `grace` in place of the server's own window. */
export const rotationRequestSchema = z.strictObject({ grace: seconds.optional(), sha256: sha256.optional(), standing });
export const rotatedSchema = z.object({
  key: z.string().optional(),
  fingerprint: z.string(),
  slot,
  previous_key_valid_until: when,
  /** What became of the keys that were there. */
  others: z.array(z.object({ fingerprint: z.string(), fate: z.enum(['deleted', 'previous', 'unchanged']), until: when })),
});
/** POST /api/v1/servers/NAME/keys/retire */
export const emptySchema = z.strictObject({});
export const retiredKeysSchema = z.object({ retired: z.array(z.string()) });
/** POST /api/v1/servers/NAME/keys, under `multi`. */
export const newKeySchema = z.strictObject({ name: name.nullable().default(null), sha256: sha256.optional(), standing });
export const addedKeySchema = z.object({ key: z.string().optional(), fingerprint: z.string(), slot });
/** PATCH /api/v1/servers/NAME/keys/KEY: one of the two; `force` also shuts out the last key that works. */
export const keyChangeSchema = z.union([
  z.strictObject({ enabled: z.boolean(), force: z.boolean().default(false) }),
  z.strictObject({ name }),
]);

/** POST /api/v1/credentials: with the public half of a key pair, the SHA-256 of an API key, or one of both made here. */
const credentialFacts = { name, role, scopes: scopes.min(1).optional(), expires_in: life.optional() };
export const newCredentialSchema = z.union([
  z.strictObject({ ...credentialFacts, public_key: z.string().min(1).max(8_192) }),
  z.strictObject({ ...credentialFacts, sha256 }),
  z.strictObject({ ...credentialFacts, make: z.enum(['key-pair', 'api-key']) }),
]);
const credential = { credential_id: z.string(), name: z.string(), kid: z.string().nullable(), fingerprint: z.string(), role, scopes };
/** 201 of it; `key` is what was made here, shown this once. */
export const addedCredentialSchema = z.object({ ...credential, key: z.string().optional() });
export const credentialViewSchema = z.object({
  ...credential,
  enabled: z.boolean(),
  created: z.iso.datetime(),
  expires: when,
  last_used: when,
});
/** PATCH /api/v1/credentials/NAME: one of the two. */
export const credentialChangeSchema = z.union([z.strictObject({ enabled: z.boolean() }), z.strictObject({ name })]);

/** POST /api/v1/tokens */
export const newTokenSchema = z.strictObject({
  server: name,
  policy: policy.default('grace'),
  grace: seconds.default(86_400),
  expires_in: life.default(3_600),
});
export const madeTokenSchema = z.object({ token: z.string(), fingerprint: z.string(), server: z.string(), expires: z.iso.datetime() });
export const tokenViewSchema = z.object({
  fingerprint: z.string(),
  server: z.string(),
  state: z.enum(['open', 'used', 'expired']),
  created: z.iso.datetime(),
  expires: z.iso.datetime(),
  used: when,
  used_for: z.string().nullable(),
});

export const userViewSchema = z.object({ user_id: z.string(), name: z.string(), role });
/** POST /api/v1/users */
export const newUserSchema = z.strictObject({ name, role, password });
/** PATCH /api/v1/users/NAME: one of the two. */
export const userChangeSchema = z.union([z.strictObject({ role }), z.strictObject({ password })]);
export const signedOutSchema = z.object({ ended: z.int() });

/** GET /api/v1/session; `csrf` goes into X-CSRF-Token of whatever changes something. */
export const sessionViewSchema = z.object({ name: z.string(), role, organisation: z.string(), csrf: z.string() });
/** POST /api/v1/session/password */
export const ownPasswordSchema = z.strictObject({ old_password: password, password });

/** GET /api/v1/audit: lines as they are stored, and the number to go on from (null at the end). */
const auditLineSchema = z.object({
  seq: z.int(),
  at: z.number(),
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  detail: z.record(z.string(), z.string()),
  address: z.string().nullable(),
  prev: z.string(),
  hash: z.string(),
});
export const auditPageSchema = z.object({ lines: z.array(auditLineSchema), next: z.int().nullable() });
export const auditVerdictSchema = z.union([
  z.object({ ok: z.literal(true), lines: z.int(), last: z.string().nullable() }),
  z.object({ ok: z.literal(false), code: z.string(), message: z.string() }),
]);
