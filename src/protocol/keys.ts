import * as z from 'zod';

/* The key routes: how an agent replaces its own key. Every answer of 4xx and 5xx is a problem (heartbeat.ts). */

const when = z.iso.datetime().nullable();
const slot = z.enum(['current', 'previous', 'next']);

/** What a service can do for an agent that replaces its key; whoami lists it. */
export const rotationSchema = z.array(z.enum(['register', 'mint', 'retire']));

/**
 * POST /api/v1/keys/register: a key made by the agent, of which the service learns the SHA-256 or the public half only.
 * Asking twice for the same key changes nothing the second time and is answered alike.
 */
export const registerSchema = z.union([
  z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  /** RSA, 2048 bits or more: base64url of the SPKI DER. The new credential is named after the one that asks: NAME-v2. */
  z.strictObject({ public_key: z.string().min(1).max(4_096) }),
]);

/** 200 of register. */
export const registeredSchema = z.object({
  fingerprint: z.string(),
  slot,
  /** Until when the key that asked stays good; null where nothing ends it (multi) or it is dead already (immediate). */
  previous_key_valid_until: when,
  /** Of an organisation credential: its id (`sub` of the JWT), its key id and its name. */
  credential_id: z.string().optional(),
  kid: z.string().optional(),
  name: z.string().optional(),
});

/** POST /api/v1/keys/mint, with an Idempotency-Key of 16 to 128 characters: the same one brings the same key again. */
export const mintSchema = z.strictObject({});

/** 200 of mint. */
export const mintedSchema = z.object({
  /** The key itself, shown to whoever knows the old key and the Idempotency-Key, for a day. */
  key: z.string(),
  fingerprint: z.string(),
  slot,
  previous_key_valid_until: when,
  /** Whether an earlier request had made it. */
  replayed: z.boolean(),
});

/** POST /api/v1/keys/retire: ends another key of the same server (or organisation credential), never the one that asks. */
export const retireSchema = z.strictObject({ fingerprint: z.string().regex(/^[0-9a-f]{12}$/) });

/** 200 of retire; `retired` is false when no such key was alive. */
export const retiredSchema = z.object({ fingerprint: z.string(), retired: z.boolean() });

export type Registration = z.infer<typeof registerSchema>;
export type Registered = z.infer<typeof registeredSchema>;
export type Minted = z.infer<typeof mintedSchema>;
export type Retired = z.infer<typeof retiredSchema>;
export type RotationAbility = z.infer<typeof rotationSchema>[number];
