import * as z from 'zod';

/*
 * Enrolment: how a host without a key gets one. It makes the key itself; a token, given out once for one server, has the
 * service take its SHA-256.
 */

/**
 * What a token is made of. As text `enroll1_SECRET`, and `_AUTHORITY` behind it where the service's certificate comes from
 * an authority of its own: one run of characters, so that whatever hides keys hides it too.
 */
export interface EnrolToken {
  /** 32 random bytes, base64url. */
  secret: string;
  /** SHA-256 of the authority's certificate (DER), hex: what is fetched from the service can be told from a forgery by it. */
  authority: string | null;
}

const PREFIX = 'enroll1_';
const TOKEN = /^enroll1_([\w-]{43})(?:_([\w-]{43}))?$/;

/** A token as it is given to people. */
export function tokenText({ secret, authority }: EnrolToken): string {
  return `${PREFIX}${secret}${authority === null ? '' : `_${Buffer.from(authority, 'hex').toString('base64url')}`}`;
}

/** A token from its text, white space around it left out; undefined for what is none, or was cut. */
export function readToken(text: string): EnrolToken | undefined {
  const [, secret, authority] = TOKEN.exec(text.trim()) ?? [];
  if (secret === undefined || !isWhole(secret) || (authority !== undefined && !isWhole(authority))) return undefined;
  return { secret, authority: authority === undefined ? null : Buffer.from(authority, 'base64url').toString('hex') };
}

/** Of 43 characters the last has two bits to spare, which are zero in what was really encoded. */
const isWhole = (text: string): boolean => Buffer.from(text, 'base64url').toString('base64url') === text;

/** POST /api/v1/enroll. Asking twice with the same token and key changes nothing the second time and is answered alike. */
export const enrollSchema = z.strictObject({
  token: z.string().min(1).max(256),
  /** Of the key that the host made, hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** What the host calls itself; for the audit trail. */
  host_name: z.string().min(1).max(255),
});

/** 200 of enroll. */
export const enrolledSchema = z.object({
  server_id: z.string(),
  name: z.string(),
  policy: z.enum(['immediate', 'grace', 'multi']),
  service_id: z.string(),
  fingerprint: z.string(),
});

/** GET /api/v1/authority, 200: the certificate, PEM, to be compared with what a token says of it. */
export const authoritySchema = z.object({ certificate: z.string().max(16_384) });

export type Enrollment = z.infer<typeof enrollSchema>;
export type Enrolled = z.infer<typeof enrolledSchema>;
