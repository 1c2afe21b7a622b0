import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metric } from '../protocol/heartbeat.ts';
import { detailOf, ScoutError } from '../support/errors.ts';
import { parseListen } from '../support/listen.ts';
import type { Log } from '../support/log.ts';
import { CONTENT_TYPE, renderPrometheus } from './prometheus-text.ts';

interface Options {
  /** `HOST:PORT`; an IPv6 host stands in brackets, and without a host it is every address. */
  listen: string;
  /** The metrics of the last sample. */
  latest(): Metric[];
  log: Log;
}

/** More than a few Prometheus servers never scrape one host; a flood of connections is none of them. */
const MAX_CONNECTIONS = 32;
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;

/** Answers `GET /metrics` with the last sample. It samples nothing itself: a scrape costs the rendering and no more. */
export class PrometheusEndpoint {
  readonly #options: Options;
  #server: Server | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Port that it listens on, once started. */
  get port(): number | undefined {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port;
  }

  /** Throws ScoutError (PROMETHEUS_LISTEN) where it cannot listen. */
  async start(): Promise<void> {
    const { listen, log } = this.#options;
    const address = parseListen(listen);
    if (!address) throw new ScoutError('PROMETHEUS_LISTEN', { address: listen, detail: 'not of the form HOST:PORT' });
    const limits = { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, maxHeaderSize: 8_192 };
    const server = createServer(limits, (request, response) => this.#answer(request, response));
    server.maxConnections = MAX_CONNECTIONS;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(address, resolve);
    try {
      await promise;
    } catch (error) {
      throw new ScoutError('PROMETHEUS_LISTEN', { address: listen, detail: detailOf(error) }, {}, { cause: error });
    }
    server.off('error', reject);
    server.on('error', (error) => log.warn({ detail: detailOf(error) }, 'the address for Prometheus has a problem'));
    this.#server = server;
  }

  /** Ends at once, with scrapes under way cut short. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const { status, type, text, allow } = this.#reply(request.method, request.url ?? '');
    const body = Buffer.from(text);
    response.writeHead(status, {
      'content-type': type,
      'content-length': body.length,
      'x-content-type-options': 'nosniff',
      ...(allow && { allow }),
    });
    response.end(body);
  }

  #reply(method: string | undefined, url: string): { status: number; type: string; text: string; allow?: string } {
    const type = 'text/plain; charset=utf-8';
    if (url.split('?', 1)[0] !== '/metrics') return { status: 404, type, text: 'The metrics are at /metrics.\n' };
    if (method !== 'GET') return { status: 405, type, text: 'Only GET is answered here.\n', allow: 'GET' };
    try {
      return { status: 200, type: CONTENT_TYPE, text: renderPrometheus(this.#options.latest()) };
    } catch (error) {
      this.#options.log.warn({ detail: detailOf(error) }, 'a scrape could not be answered');
      return { status: 500, type, text: 'The metrics could not be rendered; see the log of the agent.\n' };
    }
  }
}
