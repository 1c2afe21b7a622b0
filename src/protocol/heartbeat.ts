import * as z from 'zod';
import { rotationSchema } from './keys.ts';

/*
 * The shape of a heartbeat on the wire. The daemon takes only the types from here (erased at build), the hub the
 * schemas. Names, units and attributes of metrics follow OpenTelemetry's semantic conventions; points of one metric
 * stand as short rows under one list of attribute names, which costs about a quarter of one object a point.
 */

const label = z.string().max(1024);
const row = z.array(z.union([label, z.number()])).max(33);

export const metricSchema = z.object({
  /** e.g. `system.cpu.time` */
  name: z.string().min(1).max(255),
  /** UCUM unit: `s`, `By`, `1`, `{process}` */
  unit: z.string().max(63),
  /** counter: monotonic, cumulative since `host.boot_time`; updowncounter: a sum that may fall; gauge: a reading */
  type: z.enum(['counter', 'updowncounter', 'gauge']),
  /** Names of the attributes whose values open each row. */
  attributes: z.array(z.string().min(1).max(255)).max(32),
  /** Rows: the values of `attributes` in their order, then the number itself. */
  points: z.array(row).max(20_000),
});

export const heartbeatSchema = z.object({
  /** Version of this schema. */
  v: z.literal(1),
  /** Who counts `sequence`: made once for an outbox and kept with it. */
  instance: z.uuid(),
  /** 1, 2, 3, … without a gap for this instance. */
  sequence: z.int().min(1),
  /** Wall clock when sampled, milliseconds since the epoch. */
  time: z.int().min(0),
  /** Seconds until the next one is due: a week at most, or nobody would ever miss this server. */
  interval: z.number().positive().max(604_800),
  agent: z.object({ version: z.string().max(64) }),
  host: z.object({
    name: z.string().min(1).max(255),
    /** Seconds since the epoch, at which the host's counters began. */
    boot_time: z.number().optional(),
  }),
  /** Hardware and system facts; sent at start and then once an hour. */
  inventory: z.record(z.string().max(255), z.union([z.string().max(1024), z.number(), z.boolean()])).optional(),
  metrics: z.array(metricSchema).max(2_000),
});

/** POST /api/v1/heartbeats, 200 */
export const acceptedSchema = z.object({
  /** Heartbeats stored by this request. */
  accepted: z.int(),
  /** Heartbeats that had been stored before; just as good. */
  duplicates: z.int(),
  fingerprint: z.string(),
  slot: z.enum(['current', 'previous', 'next']),
  /** When slot is `previous`, or another key still works beside ours: until when (RFC 3339). */
  previous_key_valid_until: z.string().nullable(),
});

/** GET /api/v1/whoami, 200 */
export const whoamiSchema = z.object({
  service: z.string(),
  /** Identity of this installation of the service; stays when its certificate changes. */
  service_id: z.string(),
  version: z.string(),
  /** The server that the key belongs to; null for an organisation credential, which is of none. */
  server: z.object({ id: z.string(), name: z.string(), policy: z.enum(['immediate', 'grace', 'multi']) }).nullable(),
  /** The organisation credential that asks. */
  credential: z.object({ id: z.string(), name: z.string(), role: z.enum(['admin', 'member']), scopes: z.array(z.string()) }).optional(),
  fingerprint: z.string(),
  slot: z.enum(['current', 'previous', 'next']),
  previous_key_valid_until: z.string().nullable(),
  /** When the key that asks was made (RFC 3339). */
  key_created: z.string().optional(),
  /** What this service can do for an agent that replaces its key; absent: nothing, keys come from people. */
  rotation: rotationSchema.optional(),
  /** The service's clock, RFC 3339. */
  time: z.string(),
});

/** Every answer of 4xx and 5xx: RFC 9457, application/problem+json. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  /** What was wrong, in a sentence. */
  detail: z.string(),
  /** Stable word for programs: `key_refused`, `body_too_large`, `heartbeat_invalid`, … */
  code: z.string(),
  /** For heartbeat_invalid: which line of the batch, from 0. */
  index: z.int().optional(),
});

export type Metric = z.infer<typeof metricSchema>;
export type MetricType = Metric['type'];
export type Point = (string | number)[];
export type Heartbeat = z.infer<typeof heartbeatSchema>;
export type Inventory = NonNullable<Heartbeat['inventory']>;
export type Accepted = z.infer<typeof acceptedSchema>;
export type Whoami = z.infer<typeof whoamiSchema>;
export type ServiceProblem = z.infer<typeof problemSchema>;
