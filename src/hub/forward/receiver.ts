import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { TransportError } from '../../delivery/failure.ts';
import type { Verdict } from '../../delivery/heartbeats.ts';
import { Transport } from '../../delivery/transport.ts';
import { judgeOtlp } from '../../exporters/otlp-answer.ts';
import { detailOf } from '../../support/errors.ts';
import type { Hub } from '../hub.ts';
import { readHeaderFile } from './header-file.ts';

const compress = promisify(gzip);
/** A twelfth larger than at the default level, for a third of the processor time. */
const GZIP = { level: 1 };
/** Where the specification wants metrics when an address names no path. */
const DEFAULT_PATH = '/v1/metrics';
const TIMEOUT_MS = 30_000;

export interface ReceiverOptions {
  /** https://…, or http:// to loopback. */
  url: string;
  /** Further headers, read anew for each request, so that a token can be replaced while the hub runs. */
  headerFile?: string | undefined;
  /** The authority that the receiver is trusted by, PEM; the system's unless given. */
  caFile?: string | undefined;
}

/** The receiver of OTLP/HTTP that heartbeats are forwarded to. */
export class Receiver {
  readonly #hub: Pick<Hub, 'now' | 'log'>;
  readonly #options: ReceiverOptions;
  readonly #transport: Transport;
  #headers: Record<string, string> = {};
  #remark: string | undefined;

  /** Throws TLS_FILE, HUB_SECRET_FILE. */
  constructor(hub: Pick<Hub, 'now' | 'log'>, options: ReceiverOptions) {
    this.#hub = hub;
    this.#options = options;
    this.#transport = new Transport({ endpoint: options.url, tls: options.caFile === undefined ? {} : { ca_file: options.caFile } });
    if (options.headerFile !== undefined) this.#headers = readHeaderFile(options.headerFile);
  }

  /** Sends `count` heartbeats as one ExportMetricsServiceRequest in protobuf. Does not throw. */
  async send(request: Uint8Array, count: number, signal: AbortSignal): Promise<Verdict> {
    this.#readHeaders();
    const sent = this.#headers;
    const headers = { ...sent, 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
    // The transport puts the path of the address before this one.
    const path = new URL(this.#options.url).pathname === '/' ? DEFAULT_PATH : '';
    try {
      const body = await compress(request, GZIP);
      const answer = await this.#transport.request({ method: 'POST', path, headers, body, timeout: TIMEOUT_MS, signal });
      const { outcome, remark } = judgeOtlp(answer, count, this.#hub.now(), sent);
      this.#tell(remark);
      return outcome;
    } catch (error) {
      const reason = error instanceof TransportError ? error.reason : 'unexpected';
      return { kind: 'unavailable', reason, detail: detailOf(error) };
    }
  }

  close(): void {
    this.#transport.close();
  }

  #readHeaders(): void {
    if (this.#options.headerFile === undefined) return;
    try {
      this.#headers = readHeaderFile(this.#options.headerFile);
    } catch (error) {
      // It may be in the middle of being replaced: what it held before goes on.
      this.#hub.log?.warn({ detail: detailOf(error) }, 'the headers for forwarding could not be read again');
    }
  }

  /** Once for as long as it stays the same: receivers repeat themselves with each request. */
  #tell(remark: string | undefined): void {
    if (remark === this.#remark) return;
    this.#remark = remark;
    if (remark !== undefined)
      this.#hub.log?.warn({ detail: remark }, 'the receiver took forwarded heartbeats, but not all points, or with a warning');
  }
}
