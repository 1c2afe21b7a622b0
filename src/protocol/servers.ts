import * as z from 'zod';

/* What people and scripts read of servers: `/api/v1/servers`, and `scout-hub server list|show --json`. */

const when = z.iso.datetime().nullable();
const slot = z.enum(['current', 'previous', 'next']);

export const serverSummarySchema = z.object({
  server_id: z.string(),
  name: z.string(),
  policy: z.enum(['immediate', 'grace', 'multi']),
  /** alive: heard in time; late: a beat or more is missing; silent: long unheard; never: not one heartbeat yet. */
  state: z.enum(['alive', 'late', 'silent', 'never']),
  /** Since when it is in this state. */
  since: z.iso.datetime(),
  /** Fingerprint and slot of the key last used. */
  fingerprint: z.string().nullable(),
  slot: slot.nullable(),
  host_name: z.string().nullable(),
  agent_version: z.string().nullable(),
  /** When the latest heartbeat came in, and when it was sampled. */
  last_received: when,
  last_sampled: when,
  /** Seconds between heartbeats, as the latest one said. */
  interval: z.number().nullable(),
  accepted: z.int(),
});

export const keyViewSchema = z.object({
  fingerprint: z.string(),
  /** What people call it; null for a key without a name. */
  name: z.string().nullable(),
  slot,
  enabled: z.boolean(),
  created: z.iso.datetime(),
  valid_until: when,
  last_used: when,
});

const instanceViewSchema = z.object({
  id: z.string(),
  first_sequence: z.int(),
  last_sequence: z.int(),
  accepted: z.int(),
  duplicates: z.int(),
  /** Inclusive ranges between first and last that have not come in. */
  gaps: z.array(z.tuple([z.int(), z.int()])),
});

export const serverDetailsSchema = serverSummarySchema.extend({
  created: z.iso.datetime(),
  /** Seconds; what the policy `grace` leaves an old key. */
  grace: z.number(),
  keys: z.array(keyViewSchema),
  instances: z.array(instanceViewSchema),
  /** Refused requests by status. */
  refused: z.record(z.string(), z.int()),
});

export type ServerSummary = z.infer<typeof serverSummarySchema>;
export type ServerDetails = z.infer<typeof serverDetailsSchema>;
export type KeyView = z.infer<typeof keyViewSchema>;
