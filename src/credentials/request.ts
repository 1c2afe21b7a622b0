import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { Dispatcher } from 'undici';
import type { Config } from '../config/schema.ts';
import type { ServiceProblem } from '../protocol/heartbeat.ts';
import { ScoutError } from '../support/errors.ts';
import { type Answered, judge, lost } from './answer.ts';
import { addressOf, type Connection, networkDetail, tlsDetail } from './connect.ts';
import type { Credential } from './credential.ts';
import { proxyAuthorization, proxyFor } from './proxy.ts';

/** What is asked of the service. */
export interface Question {
  method: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** What the service itself said: nothing else gets this far. */
export type Heard = {
  /** This clock half-way between the request and the answer, ms since the epoch. */
  middle: number;
  /** This clock minus the service's by its Date, ms; whole seconds are all that it tells. */
  skew?: number;
  /** Whether a token of this clock was refused, and one of the service's clock sent then. */
  corrected: boolean;
} & (
  | { kind: 'ok'; body: unknown }
  | { kind: 'problem'; status: number; problem: ServiceProblem }
  /** 404 from whatever answers there; it decides nothing by itself. */
  | { kind: 'absent'; detail: string }
);

/** Most of an answer that is read. */
const MOST_BYTES = 65_536;
/** Difference of the clocks above which a refused token may be the clock's fault, ms; the Date is good for half a second. */
const SKEW_MATTERS = 5_000;

/** Where and how a configuration reaches its service. Throws FILE_UNREADABLE. */
export function connectionTo(config: Pick<Config, 'api' | 'tls' | 'proxy'>, env: NodeJS.ProcessEnv): Connection {
  const endpoint = new URL(config.api.endpoint);
  const { tls } = config;
  const [ca, cert, key] = [textOf(tls.ca_file), textOf(tls.cert_file), textOf(tls.key_file)];
  return {
    endpoint,
    proxy: proxyFor(endpoint, config.proxy, env),
    tls: {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(tls.key_passphrase !== undefined && { passphrase: tls.key_passphrase }),
    },
    timeout: config.api.timeout,
  };
}

function textOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ScoutError('FILE_UNREADABLE', { path, detail: (error as Error).message }, {}, { cause: error });
  }
}

/**
 * Sends one request over a connection of its own. A token that the service refuses while its clock differs from ours is
 * made anew by its clock, and sent once more: only then is it the key that was refused. Throws SERVICE_UNREACHABLE,
 * PROXY_AUTH, SERVICE_TLS, SERVICE_BUSY, and SERVICE_UNEXPECTED for whatever the service itself would not say.
 */
export async function ask(target: Connection, credential: Credential, question: Question): Promise<Heard> {
  const first = await send(target, credential, question, 0);
  // Only a Date that came over TLS is the service's own word.
  const trusted = target.endpoint.protocol === 'https:' && first.skew !== undefined && Math.abs(first.skew) > SKEW_MATTERS;
  if (!credential.renew || !trusted || first.kind !== 'problem' || first.status !== 401) return first;
  credential.renew();
  return { ...(await send(target, credential, question, first.skew as number)), corrected: true };
}

async function send(target: Connection, credential: Credential, question: Question, skew: number): Promise<Heard> {
  const { method, path, body } = question;
  const carried = credential.headers(Date.now() - skew);
  const dispatcher = await dispatcherOf(target);
  const sent = Date.now();
  const seen: Answered = { path, method, status: 0, headers: {}, text: '', bytes: 0, secrets: secretsOf(carried) };
  try {
    const response = await dispatcher.request({
      origin: target.endpoint.origin,
      path: new URL(addressOf(target.endpoint) + path).pathname,
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...question.headers,
        ...carried,
      },
      ...(body !== undefined && { body }),
      headersTimeout: target.timeout,
      bodyTimeout: target.timeout,
      // Who sends a byte now and then keeps both of those from ending.
      signal: AbortSignal.timeout(2 * target.timeout),
    });
    const middle = (sent + Date.now()) / 2;
    [seen.status, seen.headers] = [response.statusCode, response.headers];
    await read(response.body, seen);
    const date = Date.parse(String(seen.headers.date ?? ''));
    // Date is cut to whole seconds: half of one is the best guess of the rest.
    return { ...judge(target.endpoint, seen), middle, corrected: false, ...(!Number.isNaN(date) && { skew: middle - date - 500 }) };
  } catch (error) {
    throw error instanceof ScoutError ? error : faultOf(target.endpoint, seen, error);
  } finally {
    await dispatcher.destroy();
  }
}

async function dispatcherOf({ endpoint, proxy, tls, timeout }: Connection): Promise<Dispatcher> {
  // Loaded here: the daemon takes other things from this folder, and undici is large. Its names stand under `default`
  // both in Node and in a bundle.
  const { default: undici } = await import('undici');
  const host = endpoint.hostname.replace(/^\[|\]$/g, '');
  // Said outright: else NODE_TLS_REJECT_UNAUTHORIZED of the environment would have the key sent to anybody.
  const connect = { rejectUnauthorized: true, ...tls, ...(net.isIP(host) === 0 && { servername: host }), timeout };
  if (!proxy) return new undici.Agent({ connect });
  const token = proxyAuthorization(proxy);
  return new undici.ProxyAgent({
    uri: proxy.origin,
    ...(token && { token }),
    requestTls: connect,
    proxyTls: { rejectUnauthorized: true },
    proxyTunnel: true,
  });
}

async function read(body: AsyncIterable<Buffer>, seen: Answered): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
    seen.bytes += chunk.length;
    if (seen.bytes > MOST_BYTES) break;
  }
  seen.text = Buffer.concat(chunks).toString('utf8');
}

/** Errors of a connection that never stood: nothing was sent over it. */
const UNSENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

/** What undici says of a proxy that refuses CONNECT. */
const TUNNEL = /^Proxy response \((\d{3})\)/;

function faultOf(endpoint: URL, seen: Answered, error: unknown): ScoutError {
  const cause = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const { code: given, message, name } = cause as NodeJS.ErrnoException;
  const code = String(given ?? '');
  const make = (row: 'SERVICE_UNREACHABLE' | 'PROXY_AUTH' | 'SERVICE_TLS' | 'SERVICE_UNEXPECTED', detail: string) =>
    new ScoutError(row, { endpoint: addressOf(endpoint), detail }, {}, { cause: error });
  const late = name === 'TimeoutError' || /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(code);
  if (seen.status !== 0) {
    const how = late ? 'did not end in time' : 'broke off';
    return make('SERVICE_UNEXPECTED', `the answer (status ${seen.status}) ${how} after ${seen.bytes} bytes${lost(seen)}`);
  }
  const [, refusal] = TUNNEL.exec(message) ?? [];
  if (refusal === '407') return make('PROXY_AUTH', 'it wants a user name and password (407)');
  if (refusal) return make('SERVICE_UNREACHABLE', `the proxy does not let us through (${refusal})`);
  const tls = tlsDetail(cause);
  if (tls !== undefined) return make('SERVICE_TLS', tls);
  if (code.startsWith('HPE_')) return make('SERVICE_UNEXPECTED', `what answers there does not speak HTTP${lost(seen)}`);
  const detail = late ? 'no answer in time' : networkDetail(cause);
  const unsent = UNSENT.test(code) || /before secure TLS connection/.test(message);
  if (unsent || seen.method === 'GET') return make('SERVICE_UNREACHABLE', detail);
  return make('SERVICE_UNREACHABLE', `the request was sent and no answer came: it may have been carried out (${detail})`);
}

/** What of the headers must not come back to people's eyes, should the service repeat it. */
const secretsOf = (headers: Record<string, string>): string[] =>
  Object.values(headers)
    .flatMap((value) => value.split(' '))
    .filter((word) => word.length > 6);
