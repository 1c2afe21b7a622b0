import { gzipSync } from 'node:zlib';
import type { Credential } from '../credentials/credential.ts';
import { unpack } from '../protocol/frame.ts';
import { CONTENT_TYPE, PATHS } from '../protocol/wire.ts';
import type { Host } from '../support/host.ts';
import { parseRetryAfter } from './backoff.ts';
import { TransportError } from './failure.ts';
import type { Destination, Outcome, StoredHeartbeat } from './heartbeats.ts';
import type { Answer, Transport } from './transport.ts';

type Encoding = 'zstd' | 'gzip' | 'identity';
const FALLBACK: Record<Encoding, Encoding | undefined> = { zstd: 'gzip', gzip: 'identity', identity: undefined };

export interface ScoutOptions {
  name: string;
  endpoint: string;
  /** The credential in force, looked up for each request. */
  credential: () => Credential;
  transport: Transport;
  host: Pick<Host, 'now' | 'monotonic'>;
  /** Longest wait for an answer, ms. */
  timeout: number;
  /** Told how far the service's clock is ahead of ours, ms, when it answers over TLS. */
  onSkew?: (ms: number) => void;
}

/** A scout-hub, or any service that speaks its protocol. */
export class ScoutDestination implements Destination {
  readonly name: string;
  readonly endpoint: string;
  readonly #options: ScoutOptions;
  #encoding: Encoding = 'zstd';
  /** The service's clock less our monotonic one, once known. */
  #serviceClock: number | undefined;

  constructor(options: ScoutOptions) {
    this.name = options.name;
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  async send(batch: StoredHeartbeat[], signal: AbortSignal): Promise<Outcome> {
    for (;;) {
      let answer: Answer;
      try {
        answer = await this.#post(batch, signal);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        return { kind: 'unavailable', reason: error.reason, detail: error.message };
      }
      const simpler = FALLBACK[this.#encoding];
      if (answer.status === 415 && simpler) {
        this.#encoding = simpler;
        continue;
      }
      const said = isJson(answer) ? parseObject(answer.body) : undefined;
      if (said) this.#noteClock(answer);
      return judge(answer, said, batch, this.#options.host.now());
    }
  }

  /** New connections from the next request on, as after a change of credential. */
  renew(): void {
    this.#options.transport.renew();
  }

  close(): void {
    this.#options.transport.close();
  }

  #post(batch: StoredHeartbeat[], signal: AbortSignal): Promise<Answer> {
    const { transport, credential, timeout } = this.#options;
    const headers: Record<string, string> = {
      ...credential().headers(this.#serviceNow()),
      'content-type': CONTENT_TYPE,
      accept: 'application/json, application/problem+json',
    };
    if (this.#encoding !== 'identity') headers['content-encoding'] = this.#encoding;
    return transport.request({ method: 'POST', path: PATHS.heartbeats, headers, body: encode(batch, this.#encoding), timeout, signal });
  }

  #serviceNow(): number {
    const { host } = this.#options;
    return this.#serviceClock === undefined ? host.now() : host.monotonic() + this.#serviceClock;
  }

  #noteClock({ headers, secure }: Answer): void {
    const date = Date.parse(headers.date ?? '');
    if (!secure || Number.isNaN(date)) return;
    const { host, onSkew } = this.#options;
    // The header has whole seconds: on average half of one has passed.
    this.#serviceClock = date + 500 - host.monotonic();
    onSkew?.(date + 500 - host.now());
  }
}

function encode(batch: StoredHeartbeat[], encoding: Encoding): Uint8Array {
  if (encoding === 'zstd') return batch.length === 1 ? (batch[0] as StoredHeartbeat).frame : Buffer.concat(batch.map((one) => one.frame));
  const lines = Buffer.concat(batch.map((one) => unpack(one.frame)));
  return encoding === 'gzip' ? gzipSync(lines) : lines;
}

/** What an answer means. `said` is its JSON object, undefined when it is none: then something else than the service answered. */
function judge(answer: Answer, said: Record<string, unknown> | undefined, batch: StoredHeartbeat[], now: number): Outcome {
  const { status, headers } = answer;
  const own = said !== undefined && mediaType(answer) === 'application/problem+json';
  const detail = own && typeof said.detail === 'string' ? said.detail.slice(0, 300) : `status ${status}`;
  const unexpected = (what: string): Outcome => ({ kind: 'unavailable', reason: 'unexpected', detail: what });
  const retryAfter = parseRetryAfter(headers['retry-after'], now);

  if (status === 200)
    return said
      ? accepted(said, batch)
      : unexpected(`a ${mediaType(answer) || 'nameless'} page came with 200 instead of the service's answer`);
  if (status === 401)
    return own ? { kind: 'unauthorized', detail } : unexpected('401, but not from the service: a proxy or gateway in front of it?');
  if (status === 403)
    return own ? { kind: 'forbidden', detail } : unexpected('403, but not from the service: a proxy or gateway in front of it?');
  if (status === 407) return unexpected('the proxy wants other credentials (407)');
  // These two give a heartbeat up for lost in the end, so only the service itself may say them of a single one.
  if (status === 413)
    return own || batch.length > 1 ? { kind: 'too-large' } : unexpected('413 for a single heartbeat, but not from the service');
  if (status === 400 || status === 422) {
    if (!own) return unexpected(`${status}, but not from the service: a proxy or gateway in front of it?`);
    const index = Number.isInteger(said.index) ? (said.index as number) : undefined;
    return { kind: 'rejected', detail, ...(index !== undefined && index >= 0 && index < batch.length && { index }) };
  }
  const later = retryAfter !== undefined && { retryAfter };
  if (status === 408 || status === 429 || status === 503) return { kind: 'unavailable', reason: 'busy', detail, ...later };
  if (status >= 500) return { kind: 'unavailable', reason: 'server-error', detail, ...later };
  if (status >= 300 && status < 400) return unexpected(`it sends elsewhere (${status}): is the address right?`);
  return unexpected(detail);
}

/** Checked by hand: the schema of protocol/heartbeat.ts would bring zod into the daemon. */
function accepted(said: Record<string, unknown>, batch: StoredHeartbeat[]): Outcome {
  const { accepted: count, duplicates, fingerprint, slot, previous_key_valid_until: until } = said;
  if (!Number.isInteger(count) || !Number.isInteger(duplicates) || Number(count) + Number(duplicates) !== batch.length)
    return { kind: 'unavailable', reason: 'unexpected', detail: `the answer does not account for all of ${batch.length} heartbeats` };
  return {
    kind: 'accepted',
    accepted: Number(count),
    duplicates: Number(duplicates),
    ...(typeof fingerprint === 'string' && { fingerprint }),
    ...(typeof slot === 'string' && { slot }),
    ...((typeof until === 'string' || until === null) && { previousKeyValidUntil: until }),
  };
}

function mediaType({ headers }: Answer): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

function isJson(answer: Answer): boolean {
  return /^application\/(problem\+)?json$/.test(mediaType(answer));
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
