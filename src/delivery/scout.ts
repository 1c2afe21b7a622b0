import { gzipSync } from 'node:zlib';
import type { Credential } from '../credentials/credential.ts';
import { unpack } from '../protocol/frame.ts';
import { CONTENT_TYPE, PATHS } from '../protocol/wire.ts';
import { hideEcho } from '../support/hide.ts';
import type { Host } from '../support/host.ts';
import { parseRetryAfter } from './backoff.ts';
import { TransportError } from './failure.ts';
import type { Destination, Outcome, StoredHeartbeat, Verdict } from './heartbeats.ts';
import type { Answer, Transport } from './transport.ts';

type Encoding = 'zstd' | 'gzip' | 'identity';
/** A refused token made by a clock this far from the service's says nothing about the key. */
const TOKEN_SKEW_MS = 5_000;
/** A token made before the service's clock was found to be this far from what it was taken for is not used again. */
const CLOCK_MOVED_MS = 30_000;
const SLOTS = ['current', 'previous', 'next'];
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
  /** The same as the last answer told it; undefined when that told none. */
  #answeredAt: number | undefined;
  /** What the last request carried, and the clock (as above) that it was made by. */
  #token: { headers: Record<string, string>; clock: number } | undefined;

  constructor(options: ScoutOptions) {
    this.name = options.name;
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  async send(batch: StoredHeartbeat[], signal: AbortSignal): Promise<Outcome> {
    // One credential for all that this takes: the outcome is that one's, whatever is in force by then.
    const credential = this.#options.credential();
    return { ...(await this.#deliver(batch, credential, signal)), by: credential.fingerprint };
  }

  /** New connections from the next request on, as after a change of credential. */
  renew(): void {
    this.#options.transport.renew();
  }

  close(): void {
    this.#options.transport.close();
  }

  async #deliver(batch: StoredHeartbeat[], credential: Credential, signal: AbortSignal): Promise<Verdict> {
    let again = true;
    for (;;) {
      let answer: Answer;
      const headers = credential.headers(this.#serviceNow());
      this.#noteToken(headers);
      try {
        answer = await this.#post(batch, headers, signal);
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
      if (said) this.#noteClock(answer, credential);
      const verdict = judge(answer, said, batch, this.#options.host.now(), headers);
      if (verdict.kind !== 'unauthorized' || !again || !this.#madeByWrongClock(credential)) return verdict;
      again = false;
      credential.renew?.();
    }
  }

  #post(batch: StoredHeartbeat[], credential: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    const { transport, timeout } = this.#options;
    const headers: Record<string, string> = {
      ...credential,
      'content-type': CONTENT_TYPE,
      accept: 'application/json, application/problem+json',
    };
    if (this.#encoding !== 'identity') headers['content-encoding'] = this.#encoding;
    return transport.request({ method: 'POST', path: PATHS.heartbeats, headers, body: encode(batch, this.#encoding), timeout, signal });
  }

  /** What is carried is one object for as long as it is used again, so another one was made just now. */
  #noteToken(headers: Record<string, string>): void {
    if (this.#token?.headers !== headers) this.#token = { headers, clock: this.#serviceNow() - this.#options.host.monotonic() };
  }

  /** Whether the token that was just refused was made by another clock than the one its refusal tells. */
  #madeByWrongClock({ renew }: Credential): boolean {
    if (!renew || this.#answeredAt === undefined || !this.#token) return false;
    return Math.abs(this.#answeredAt - this.#token.clock) > TOKEN_SKEW_MS;
  }

  #serviceNow(): number {
    const { host } = this.#options;
    return this.#serviceClock === undefined ? host.now() : host.monotonic() + this.#serviceClock;
  }

  #noteClock({ headers, secure }: Answer, credential: Credential): void {
    const date = Date.parse(headers.date ?? '');
    this.#answeredAt = undefined;
    if (!secure || Number.isNaN(date)) return;
    const { host, onSkew } = this.#options;
    // The header has whole seconds: on average half of one has passed.
    const clock = date + 500 - host.monotonic();
    const moved = clock - (this.#serviceNow() - host.monotonic());
    this.#serviceClock = clock;
    this.#answeredAt = clock;
    if (Math.abs(moved) > CLOCK_MOVED_MS) credential.renew?.();
    onSkew?.(date + 500 - host.now());
  }
}

function encode(batch: StoredHeartbeat[], encoding: Encoding): Uint8Array {
  if (encoding === 'zstd') return batch.length === 1 ? (batch[0] as StoredHeartbeat).frame : Buffer.concat(batch.map((one) => one.frame));
  const lines = Buffer.concat(batch.map((one) => unpack(one.frame)));
  return encoding === 'gzip' ? gzipSync(lines) : lines;
}

/**
 * What an answer means. `said` is its JSON object, undefined when it is none: then something else than the service answered.
 * `sent` are the headers of the credential: whoever answers may repeat them, and `status` and the log show what it says.
 */
function judge(
  answer: Answer,
  said: Record<string, unknown> | undefined,
  batch: StoredHeartbeat[],
  now: number,
  sent: Record<string, string>,
): Verdict {
  const { status, headers } = answer;
  const own = said !== undefined && mediaType(answer) === 'application/problem+json';
  const detail = own && typeof said.detail === 'string' ? hideEcho(said.detail, sent).slice(0, 300) : `status ${status}`;
  const unexpected = (what: string): Verdict => ({ kind: 'unavailable', reason: 'unexpected', detail: what });
  const retryAfter = parseRetryAfter(headers['retry-after'], now);

  if (status === 200)
    return said
      ? accepted(said, batch)
      : unexpected(`a ${hideEcho(mediaType(answer), sent) || 'nameless'} page came with 200 instead of the service's answer`);
  if (status === 401)
    return own ? { kind: 'unauthorized', detail } : unexpected('401, but not from the service: a proxy or gateway in front of it?');
  if (status === 403)
    return own ? { kind: 'forbidden', detail } : unexpected('403, but not from the service: a proxy or gateway in front of it?');
  if (status === 407) return { kind: 'unavailable', reason: 'proxy', detail: 'the proxy wants a user name and password (407)' };
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
function accepted(said: Record<string, unknown>, batch: StoredHeartbeat[]): Verdict {
  const { accepted: count, duplicates, fingerprint, slot, previous_key_valid_until: until } = said;
  if (!Number.isInteger(count) || !Number.isInteger(duplicates) || Number(count) + Number(duplicates) !== batch.length)
    return { kind: 'unavailable', reason: 'unexpected', detail: `the answer does not account for all of ${batch.length} heartbeats` };
  return {
    kind: 'accepted',
    accepted: Number(count),
    duplicates: Number(duplicates),
    ...(typeof fingerprint === 'string' && /^[0-9a-f]{12}$/.test(fingerprint) && { fingerprint }),
    ...(typeof slot === 'string' && SLOTS.includes(slot) && { slot }),
    ...((until === null || (typeof until === 'string' && !Number.isNaN(Date.parse(until)))) && { previousKeyValidUntil: until }),
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
