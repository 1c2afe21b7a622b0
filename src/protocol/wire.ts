/** What agent and hub agree on besides the shapes of bodies. No imports: the daemon loads this file. */

export const PATHS = {
  heartbeats: '/api/v1/heartbeats',
  whoami: '/api/v1/whoami',
  register: '/api/v1/keys/register',
  mint: '/api/v1/keys/mint',
  retire: '/api/v1/keys/retire',
  enroll: '/api/v1/enroll',
  authority: '/api/v1/authority',
} as const;

/** Header that carries an API key (`api.auth: api-key`). */
export const API_KEY_HEADER = 'x-api-key';

/** What whoami answers as `service`, so that a check can tell the service from whatever else answers there. */
export const SERVICE = 'scout-hub';

/**
 * Bodies of heartbeats are lines of JSON, one heartbeat a line. Each line is compressed into a frame of its own when
 * the heartbeat is made; frames of zstd (RFC 8878, 3.1) and members of gzip (RFC 1952, 2.2) may be joined, so a batch
 * is the stored bytes end to end and nothing is packed twice. Frames of zstd may name the dictionary of dictionary.ts.
 */
export const CONTENT_TYPE = 'application/x-ndjson';

/** Most heartbeats and most compressed bytes in one request; the hub refuses more with 413. */
export const BATCH_MAX_COUNT = 500;
export const BATCH_MAX_BYTES = 1_048_576;
/** Most bytes of one heartbeat once decompressed, and of a whole body. */
export const HEARTBEAT_MAX_BYTES = 1_048_576;
export const BODY_MAX_BYTES = 16 * 1_048_576;
