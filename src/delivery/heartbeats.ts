/** Makes the heartbeat for a place in the order: its JSON, and when it was sampled (ms since the epoch). */
export type Make = (instance: string, sequence: number) => { json: string; time: number };

/** One heartbeat at rest: its place in the order, and the very bytes that go over the wire. */
export interface StoredHeartbeat {
  /** Instance that counts `sequence`. */
  instance: string;
  sequence: number;
  /** Wall clock when sampled, ms since the epoch. */
  time: number;
  /** One zstd frame holding one line of JSON (see protocol/wire.ts). Never changed once stored. */
  frame: Uint8Array;
}

/** What became of a batch, and the fingerprint of the credential that carried it, where the destination tells. */
export type Outcome = Verdict & { by?: string };

/** Only `accepted` and `rejected` move the cursor. */
export type Verdict =
  /** Every heartbeat of the batch is stored there. */
  | { kind: 'accepted'; accepted: number; duplicates: number; fingerprint?: string; slot?: string; previousKeyValidUntil?: string | null }
  /** Too much in one request (413): send fewer. */
  | { kind: 'too-large' }
  /** The service will never take this content (400, 422); `index` tells which heartbeat of the batch, when known. */
  | { kind: 'rejected'; detail: string; index?: number }
  /** 401: the credential. */
  | { kind: 'unauthorized'; detail: string }
  /** 403: the permission, not the key. */
  | { kind: 'forbidden'; detail: string }
  /** 429, 5xx, TLS, DNS, reset, a proxy that wants a password (407), time-out, a web page with 200: decides nothing; try again, not before `retryAfter` ms when given. */
  | {
      kind: 'unavailable';
      reason: 'busy' | 'server-error' | 'tls' | 'dns' | 'refused' | 'reset' | 'timeout' | 'proxy' | 'unexpected';
      detail: string;
      retryAfter?: number;
    };

/** Where heartbeats go. One object a configured destination; it keeps connections, not heartbeats. */
export interface Destination {
  readonly name: string;
  readonly endpoint: string;
  /** Sends a batch, oldest first. Does not throw: every failure is an outcome. `skew` of the service's clock goes to `onDate`. */
  send(batch: StoredHeartbeat[], signal: AbortSignal): Promise<Outcome>;
  close(): void;
}
