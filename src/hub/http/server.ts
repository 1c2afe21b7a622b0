import { createServer as createPlainServer, type IncomingMessage, type Server as PlainServer, type ServerResponse } from 'node:http';
import { createServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { PATHS } from '../../protocol/wire.ts';
import type { Hub } from '../hub.ts';
import { Ingest } from '../ingest/ingest.ts';
import { Metrics } from '../metrics.ts';
import type { Pair } from '../tls/certificates.ts';
import { createApp } from './app.ts';
import { Connections } from './connections.ts';
import { Gate } from './gate.ts';
import { clearSocket, listening, type Where } from './listening.ts';
import { PROBLEM_TYPE, type ProblemWord, Refusal } from './problems.ts';
import type { Arrived, Proxies } from './proxies.ts';

/** How long a client may take, and how much it may ask for; ms, bytes, sockets. */
export interface Limits {
  headersMs: number;
  requestMs: number;
  keepAliveMs: number;
  /** How often connections are checked against the first two. */
  checkMs: number;
  /** How long a stop waits for requests under way. */
  stopMs: number;
  headerBytes: number;
  connections: number;
  /** Bodies of heartbeats in memory at once. */
  bodyBytes: number;
}

const LIMITS: Limits = {
  headersMs: 10_000,
  // A full batch over a line of 128 kbit/s takes a minute, and an outbox that never gets through would never empty.
  requestMs: 120_000,
  keepAliveMs: 75_000,
  checkMs: 5_000,
  stopMs: 10_000,
  headerBytes: 16_384,
  // An agent keeps one; each takes about 85 kB.
  connections: 20_000,
  bodyBytes: 256 * 1_048_576,
};

/** What stands before the hub. */
export interface Front {
  /** Whose word is taken for where a request comes from. */
  proxies?: Proxies | undefined;
  /** Where they, and nobody else, may ask without TLS: an address of this machine, or the path of a socket. */
  plain?: Where | undefined;
}

const CLOSE_IDLE_MS = 20;

/** The HTTPS server: heartbeats go straight to their handler, all else through the router. */
export class HubServer {
  readonly #hub: Hub;
  readonly #limits: Limits;
  readonly #metrics = new Metrics();
  readonly #gate: Gate;
  readonly #ingest: Ingest;
  readonly #connections: Connections;
  readonly #https: HttpsServer;
  readonly #front: Front;
  #plain: PlainServer | undefined;
  #stopping = false;
  #closing: NodeJS.Timeout | undefined;

  constructor(hub: Hub, pair: Pair, limits: Partial<Limits> = {}, front: Front = {}) {
    this.#hub = hub;
    this.#front = front;
    this.#limits = { ...LIMITS, ...limits };
    this.#gate = new Gate(hub, this.#metrics);
    this.#connections = new Connections(this.#limits.connections);
    this.#ingest = new Ingest(hub, this.#gate, this.#metrics, this.#limits.bodyBytes);
    this.#https = createServer({
      ...pair,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: this.#limits.headersMs,
      ...this.#settings(),
    });
  }

  /** What both servers go by. */
  #settings() {
    return {
      headersTimeout: this.#limits.headersMs,
      requestTimeout: this.#limits.requestMs,
      keepAliveTimeout: this.#limits.keepAliveMs,
      connectionsCheckingInterval: this.#limits.checkMs,
      // Else the second of two is dropped in silence, and only on the way of heartbeats: joined, two keys are none.
      joinDuplicateHeaders: true,
      maxHeaderSize: this.#limits.headerBytes,
    };
  }

  /** Listens; resolves to the address it got. Throws HUB_LISTEN. */
  async start(host: string, port: number): Promise<AddressInfo> {
    const { proxies, plain } = this.#front;
    const route = getRequestListener(createApp(this.#hub, this.#metrics, this.#gate).fetch);
    const serve = (request: Arrived, response: ServerResponse): void => {
      this.#measure(request, response);
      if (proxies) request.from = proxies.clientOf(request);
      if (isHeartbeats(request)) void this.#ingest.handle(request, response);
      else void route(request, response);
    };
    this.#https.on('connection', (socket: Socket) => this.#connections.opened(socket));
    this.#https.on('request', serve).on('clientError', refuseSocket);
    await listening(this.#https, { host, port });
    if (proxies && plain) {
      // Nobody's key goes over this door but from a proxy, which had it by TLS.
      const judge = (request: IncomingMessage, response: ServerResponse) =>
        proxies.trusts(request.socket.remoteAddress) ? serve(request, response) : refuseStranger(response);
      this.#plain = createPlainServer(this.#settings(), judge).on('clientError', refuseSocket);
      this.#plain.maxConnections = this.#limits.connections;
      await this.#second(this.#plain, plain);
    }
    return this.#https.address() as AddressInfo;
  }

  /** What serves half is not left to serve. */
  async #second(server: PlainServer, where: Where): Promise<void> {
    try {
      if ('path' in where) await clearSocket(where.path);
      await listening(server, where);
    } catch (error) {
      this.#https.close();
      throw error;
    }
  }

  /** Serves new connections with another certificate. */
  renew(pair: Pair): void {
    this.#https.setSecureContext({ ...pair, minVersion: 'TLSv1.2' });
  }

  /** Takes no more connections, finishes the requests under way, writes what was counted. The store stays open. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const servers = this.#servers();
    const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    this.#closeIdle();
    const late = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
    }, this.#limits.stopMs);
    await closed;
    clearTimeout(late);
    await this.#gate.refusals.flush();
  }

  #servers(): (HttpsServer | PlainServer)[] {
    return [this.#https, this.#plain].filter((server) => server !== undefined);
  }

  #closeIdle(): void {
    for (const server of this.#servers()) server.closeIdleConnections();
  }

  /** Of ten thousand answered connections all are looked through for the idle ones: not after each answer. */
  #closeIdleSoon(): void {
    this.#closing ??= setTimeout(() => {
      this.#closing = undefined;
      this.#closeIdle();
    }, CLOSE_IDLE_MS);
  }

  #measure(request: IncomingMessage, response: ServerResponse): void {
    const start = performance.now();
    if (this.#stopping) response.setHeader('connection', 'close');
    response.once('close', () => {
      if (response.statusCode === 200 && isHeartbeats(request)) this.#connections.known(request.socket);
      this.#metrics.observe(routeOf(request), (performance.now() - start) / 1_000);
      if (this.#stopping) this.#closeIdleSoon();
    });
  }
}

function refuseStranger(response: ServerResponse): void {
  const refusal = new Refusal('forbidden', 'This address is for the proxy in front of the hub; ask by HTTPS.');
  response.writeHead(refusal.status, { 'content-type': PROBLEM_TYPE, connection: 'close' }).end(JSON.stringify(refusal.body()));
}

function isHeartbeats({ url = '' }: IncomingMessage): boolean {
  return url === PATHS.heartbeats || url.startsWith(`${PATHS.heartbeats}?`);
}

function routeOf(request: IncomingMessage): string {
  if (isHeartbeats(request)) return 'heartbeats';
  return request.url?.startsWith('/api/') ? 'api' : 'pages';
}

const SOCKET_FAULTS: Record<string, [ProblemWord, string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request did not come in whole within the time it has.'],
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'The headers of the request are too large.'],
};

/** What a client that cannot be read as HTTP may take to read the answer, ms. */
const LAST_WORDS_MS = 2_000;

/** What could not be read as HTTP at all is answered here, for no request of it ever reaches a handler. */
function refuseSocket(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Faults of TLS come here as well: what is written into a handshake that never ends would keep the connection for ever.
  const isHttp = error.code?.startsWith('HPE_') || error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  if (!socket.writable || !isHttp) return void socket.destroy();
  const late = setTimeout(() => socket.destroy(), LAST_WORDS_MS);
  socket.once('close', () => clearTimeout(late));
  const [code, detail] = SOCKET_FAULTS[error.code ?? ''] ?? ['bad_request', 'This is not a request of HTTP/1.1.'];
  const refusal = new Refusal(code, detail);
  const body = JSON.stringify(refusal.body());
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.body().title}\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
