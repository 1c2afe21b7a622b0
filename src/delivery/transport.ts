import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { Config } from '../config/schema.ts';
import { proxyFor } from '../credentials/proxy.ts';
import { detailOf, ScoutError } from '../support/errors.ts';
import { TransportError, transportError } from './failure.ts';

const BODY_CAP = 65_536;

export interface TransportOptions {
  /** Address of the service; a path in it is put before every request's. */
  endpoint: string;
  tls: Config['tls'];
  /** `http://[user:password@]host:port`; unset: https_proxy and no_proxy of `env`. */
  proxy?: string | undefined;
  /** process.env unless set. */
  env?: NodeJS.ProcessEnv;
}

export interface Exchange {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: Uint8Array;
  /** Longest wait for the whole answer, ms. */
  timeout: number;
  signal?: AbortSignal;
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** The first 64 KiB. */
  body: string;
  /** It came over a verified TLS connection. */
  secure: boolean;
}

/** Requests to one service over node:https (node:http to loopback), on one kept connection. Certificate files are read when it is made. */
export class Transport {
  readonly #base: URL;
  readonly #secure: boolean;
  readonly #agentOptions: https.AgentOptions;
  /** What the certificate files hold, until the first connection is made. */
  #files: SecureContextOptions | undefined;
  /** One for all connections: Node would make one for each, and a system's 140 authorities take 1 MB of memory. */
  #context: SecureContext | undefined;
  /** What is at the other end, for messages. */
  readonly #peer: string;
  #agent: http.Agent | https.Agent | undefined;

  /** Throws TLS_FILE when a certificate or key cannot be used. */
  constructor({ endpoint, tls, proxy, env = process.env }: TransportOptions) {
    this.#base = new URL(endpoint);
    this.#secure = this.#base.protocol === 'https:';
    const through = proxyFor(this.#base, proxy, env);
    this.#peer = through ? `${this.#base.host} (or the proxy before it)` : this.#base.host;
    this.#agentOptions = {
      keepAlive: true,
      maxSockets: 1,
      maxFreeSockets: 1,
      // Said outright: else NODE_TLS_REJECT_UNAUTHORIZED of the environment would have the key sent to anybody.
      rejectUnauthorized: true,
      ...(this.#secure && { proxyEnv: through ? { https_proxy: through.href } : {} }),
    };
    if (this.#secure) this.#files = tlsFiles(tls);
  }

  /** One request. Throws TransportError when no whole answer came. */
  async request(exchange: Exchange): Promise<Answer> {
    try {
      return await this.#attempt(exchange);
    } catch (error) {
      // The other side may close a kept connection at the very moment we use it: that says nothing, so ask on a new one.
      if (!(error instanceof StaleConnection)) throw transportError(error, this.#peer);
    }
    try {
      return await this.#attempt(exchange);
    } catch (error) {
      throw transportError(error instanceof StaleConnection ? error.cause : error, this.#peer);
    }
  }

  /** Drops the kept connection: the next request makes a new one. */
  renew(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }

  close(): void {
    this.renew();
  }

  #trust(): SecureContext {
    this.#context ??= createSecureContext({ ...this.#files, minVersion: 'TLSv1.2' });
    this.#files = undefined;
    return this.#context;
  }

  #attempt({ method, path, headers, body, timeout, signal }: Exchange): Promise<Answer> {
    this.#agent ??= this.#secure
      ? new https.Agent({ ...this.#agentOptions, secureContext: this.#trust() })
      : new http.Agent(this.#agentOptions);
    const { hostname, port, pathname } = this.#base;
    const options: https.RequestOptions = {
      agent: this.#agent,
      method,
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port || (this.#secure ? 443 : 80),
      path: pathname.replace(/\/$/, '') + path,
      headers: { ...headers, ...(body && { 'content-length': String(body.length) }) },
      ...(signal && { signal }),
    };
    return new Promise((resolve, reject) => {
      const request = this.#secure ? https.request(options) : http.request(options);
      const timer = setTimeout(() => request.destroy(new TransportError('timeout', `no answer within ${timeout / 1_000} s`)), timeout);
      const fail = (error: Error): void => {
        clearTimeout(timer);
        const { code } = error as NodeJS.ErrnoException;
        const stale = request.reusedSocket && !answered && (code === 'ECONNRESET' || code === 'EPIPE');
        reject(stale ? new StaleConnection(error) : error);
      };
      let answered = false;
      request.on('error', fail);
      request.on('response', (response) => {
        answered = true;
        // The socket goes back to the pool, and leaves the response, before its end is told.
        const authorized = this.#secure && (response.socket as TLSSocket | null)?.authorized === true;
        collect(response, (text) => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, secure: authorized });
        });
        response.on('error', fail);
      });
      request.end(body);
    });
  }
}

class StaleConnection extends Error {
  constructor(cause: Error) {
    super('the kept connection was closed', { cause });
  }
}

/** Reads a body to its end; past the cap nothing is kept, and the connection is given up. */
function collect(response: http.IncomingMessage, done: (text: string) => void): void {
  const parts: Buffer[] = [];
  let size = 0;
  response.on('data', (part: Buffer) => {
    size += part.length;
    parts.push(part);
    if (size < BODY_CAP) return;
    response.removeAllListeners('data').removeAllListeners('end');
    done(Buffer.concat(parts).toString('utf8', 0, BODY_CAP));
    response.on('error', () => {}).destroy();
  });
  response.on('end', () => done(Buffer.concat(parts).toString('utf8')));
}

function tlsFiles(tls: Config['tls']): SecureContextOptions {
  const read = (name: 'ca_file' | 'cert_file' | 'key_file'): Buffer | undefined => {
    const path = tls[name];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path);
    } catch (error) {
      throw new ScoutError('TLS_FILE', { name: `tls.${name}`, path, detail: detailOf(error) });
    }
  };
  const [ca, cert, key] = [read('ca_file'), read('cert_file'), read('key_file')];
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(tls.key_passphrase && { passphrase: tls.key_passphrase }) };
}
