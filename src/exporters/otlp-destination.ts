import { gzipSync } from 'node:zlib';
import type { Credential } from '../credentials/credential.ts';
import { TransportError } from '../delivery/failure.ts';
import type { Destination, Outcome, StoredHeartbeat } from '../delivery/heartbeats.ts';
import type { Answer, Transport } from '../delivery/transport.ts';
import { unpack } from '../protocol/frame.ts';
import type { Heartbeat, Inventory } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import type { Log } from '../support/log.ts';
import { readHostId } from '../support/machine-id.ts';
import { toOtlp } from './otlp.ts';
import { judgeOtlp } from './otlp-answer.ts';
import { encodeOtlpJson } from './otlp-json.ts';
import { encodeOtlp } from './otlp-protobuf.ts';

/** What receivers take in one request differs (4 MiB and up); a heartbeat of 300 points is about 30 KB here. */
const REQUEST_MAX_COUNT = 64;
/** The same for larger heartbeats: bytes of their frames, an eighth or so of what they become. */
const REQUEST_MAX_BYTES = 262_144;
/** Half to a quarter of the processor time of the default level, for bodies that are a twelfth larger. */
const GZIP = { level: 1 };
/** Where the specification wants metrics when an address names no path. */
const DEFAULT_PATH = '/v1/metrics';

export interface OtlpOptions {
  name: string;
  endpoint: string;
  /** The credential in force, looked up for each request. */
  credential: () => Credential;
  transport: Pick<Transport, 'request' | 'renew' | 'close'>;
  host: Host;
  /** Longest wait for an answer, ms. */
  timeout: number;
  /** Protobuf unless set: every receiver takes it, and some nothing else. */
  encoding?: 'protobuf' | 'json';
  /** Told what a receiver remarks on heartbeats that it took. */
  log?: Log;
}

/** Any receiver of OTLP/HTTP: an OpenTelemetry Collector, Prometheus, VictoriaMetrics, Mimir. */
export class OtlpDestination implements Destination {
  readonly name: string;
  readonly endpoint: string;
  readonly #options: OtlpOptions;
  #facts: Inventory | undefined;
  #remark: string | undefined;

  constructor(options: OtlpOptions) {
    this.name = options.name;
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  async send(batch: StoredHeartbeat[], signal: AbortSignal): Promise<Outcome> {
    const size = batch.reduce((sum, one) => sum + one.frame.length, 0);
    if (batch.length > 1 && (batch.length > REQUEST_MAX_COUNT || size > REQUEST_MAX_BYTES)) return { kind: 'too-large' };
    const heartbeats: Heartbeat[] = [];
    for (const [index, one] of batch.entries()) {
      try {
        heartbeats.push(JSON.parse(unpack(one.frame).toString()) as Heartbeat);
      } catch {
        return { kind: 'rejected', detail: 'it cannot be read back from the outbox', index };
      }
    }
    let answer: Answer;
    const { credential, host } = this.#options;
    const sent = credential().headers(host.now());
    try {
      answer = await this.#post(heartbeats, sent, signal);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      return { kind: 'unavailable', reason: error.reason, detail: error.message };
    }
    const { outcome, remark } = judgeOtlp(answer, batch.length, host.now(), sent);
    this.#tell(remark);
    return outcome;
  }

  /** New connections from the next request on. */
  renew(): void {
    this.#options.transport.renew();
  }

  close(): void {
    this.#options.transport.close();
  }

  #post(heartbeats: Heartbeat[], sent: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    const { transport, host, timeout, encoding } = this.#options;
    this.#facts ??= hostFacts(host);
    const resources = toOtlp(heartbeats, () => this.#facts);
    const body = gzipSync(encoding === 'json' ? encodeOtlpJson(resources) : encodeOtlp(resources), GZIP);
    // The transport puts the path of the address before this one.
    const path = new URL(this.endpoint).pathname === '/' ? DEFAULT_PATH : '';
    const headers = {
      ...sent,
      'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
      'content-encoding': 'gzip',
    };
    return transport.request({ method: 'POST', path, headers, body, timeout, signal });
  }

  /** Once for as long as it stays the same: receivers repeat themselves with each request. */
  #tell(remark: string | undefined): void {
    if (remark === this.#remark) return;
    this.#remark = remark;
    if (remark !== undefined) {
      this.#options.log?.warn(
        { destination: this.name, detail: remark },
        'the receiver took the heartbeats, but not all points, or with a warning',
      );
    }
  }
}

/** What every heartbeat of this host has in common; the same words as in its inventory. */
function hostFacts(host: Host): Inventory {
  const id = readHostId(host);
  const systems: Partial<Record<NodeJS.Platform, string>> = { win32: 'windows', sunos: 'solaris' };
  return { ...(id !== undefined && { 'host.id': id }), 'os.type': systems[host.platform] ?? host.platform };
}
