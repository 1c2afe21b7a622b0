import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { ScoutError } from '../support/errors.ts';
import type { ProofStep } from './proof.ts';
import { proxyAuthorization } from './proxy.ts';

/** What a connection is made with. */
export interface Connection {
  endpoint: URL;
  proxy: URL | undefined;
  /** PEM texts; `rejectUnauthorized` is for what proves itself by its content, and sends no secret (enroll.ts). */
  tls: { ca?: string; cert?: string; key?: string; passphrase?: string; rejectUnauthorized?: false };
  /** Longest wait for each step, ms. */
  timeout: number;
}

/**
 * Goes to the service step by step (name, connection, TLS), telling each step to `note`. Throws SERVICE_UNREACHABLE, PROXY_AUTH
 * or SERVICE_TLS at the one that fails, its detail saying what was seen.
 */
export async function tryConnection(target: Connection, note: (step: ProofStep) => void): Promise<void> {
  const { endpoint } = target;
  const secure = endpoint.protocol === 'https:';
  const first = target.proxy ?? endpoint;
  const host = bare(first);
  const fail = (name: ProofStep['name'], code: 'SERVICE_UNREACHABLE' | 'PROXY_AUTH' | 'SERVICE_TLS', detail: string) => {
    note({ name, ok: false, detail });
    return new ScoutError(code, { endpoint: addressOf(endpoint), detail });
  };

  if (net.isIP(host) === 0) {
    try {
      const found = await lookup(host, { all: true });
      note({ name: 'dns', ok: true, detail: `${host} is ${found.map((one) => one.address).join(', ')}` });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      const why = code === 'EAI_AGAIN' ? 'the name server does not answer' : 'there is no such name';
      throw fail('dns', 'SERVICE_UNREACHABLE', `${host}: ${why} (${code})`);
    }
  }

  let socket: net.Socket;
  try {
    socket = target.proxy ? await tunnel(target.proxy, endpoint, target.timeout) : await dial(endpoint, target.timeout);
    note({
      name: 'tcp',
      ok: true,
      detail: `connected to ${host} port ${port(first)}${target.proxy ? `, a proxy that lets us through` : ''}`,
    });
  } catch (error) {
    const code = error instanceof PasswordWanted ? 'PROXY_AUTH' : 'SERVICE_UNREACHABLE';
    throw fail('tcp', code, `${target.proxy ? `proxy ${host}: ` : ''}${networkDetail(error)}`);
  }
  try {
    if (secure) note({ name: 'tls', ok: true, detail: await handshake(socket, target) });
  } catch (error) {
    throw fail('tls', 'SERVICE_TLS', error instanceof Untrusted ? error.message : handshakeDetail(error));
  } finally {
    socket.destroy();
  }
}

/** An address as people write it: without the slash that `URL` puts after a host alone. */
export const addressOf = (url: URL): string => url.href.replace(/\/$/, '');

const bare = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');
const port = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80));

function dial(endpoint: URL, timeout: number): Promise<net.Socket> {
  const socket = net.connect({ host: bare(endpoint), port: port(endpoint) });
  return settled(socket, 'connect', timeout).then(() => socket);
}

/** A proxy that lets nobody through without a password, or not with this one. */
class PasswordWanted extends Error {}

/** CONNECT through a proxy (RFC 9110, 9.3.6). */
function tunnel(proxy: URL, endpoint: URL, timeout: number): Promise<net.Socket> {
  const authorization = proxyAuthorization(proxy);
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
  const request = (proxy.protocol === 'https:' ? https : http).request({
    host: bare(proxy),
    port: port(proxy),
    method: 'CONNECT',
    path: `${endpoint.hostname}:${port(endpoint)}`,
    headers: { host: `${endpoint.hostname}:${port(endpoint)}`, ...(authorization && { 'proxy-authorization': authorization }) },
    timeout,
    agent: false,
    rejectUnauthorized: true,
  });
  request.once('connect', (response, socket) => {
    if (response.statusCode === 200) return resolve(socket);
    socket.destroy();
    if (response.statusCode === 407) return reject(new PasswordWanted('it wants a user name and password (407)'));
    reject(new Error(`it does not let us through (${response.statusCode})`));
  });
  request.once('timeout', () => request.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })));
  request.once('error', reject);
  request.end();
  return promise;
}

async function settled(socket: net.Socket, event: 'connect' | 'secureConnect', timeout: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(Object.assign(new Error(), { code: 'ETIMEDOUT' })), timeout);
  socket.once(event, resolve);
  socket.once('error', reject);
  socket.once('close', () => reject(Object.assign(new Error(), { code: 'ECONNRESET' })));
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A certificate that does not prove what it should; the message says why. */
class Untrusted extends Error {}

/** TLS over a socket; what was agreed on, in words. */
async function handshake(socket: net.Socket, target: Connection): Promise<string> {
  const host = bare(target.endpoint);
  const options = { socket, host, ...(net.isIP(host) === 0 && { servername: host }), ...target.tls, rejectUnauthorized: false };
  const secured = tls.connect(options);
  await settled(secured, 'secureConnect', target.timeout);
  const peer = secured.getPeerCertificate(true);
  const issuer = String(peer.issuer?.CN ?? peer.issuer?.O ?? 'an unnamed authority');
  const until = new Date(peer.valid_to).toISOString().slice(0, 10);
  // Typed as an Error, it is the code of one.
  const reason = String((secured.authorizationError as { code?: string } | null)?.code ?? secured.authorizationError ?? '');
  const agreed = `${secured.getProtocol()}, certificate issued by ${issuer}, valid until ${until}`;
  secured.destroy();
  if (secured.authorized) return agreed;
  throw new Untrusted(untrustedDetail(reason, peer, issuer));
}

function untrustedDetail(reason: string, peer: tls.PeerCertificate, issuer: string): string {
  switch (reason) {
    case 'CERT_HAS_EXPIRED':
      return `its certificate expired on ${new Date(peer.valid_to).toISOString()}`;
    case 'CERT_NOT_YET_VALID':
      return `its certificate is valid only from ${new Date(peer.valid_from).toISOString()}; is this clock right?`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `its certificate is for another host: ${peer.subjectaltname ?? peer.subject?.CN ?? 'none named'}`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return 'its certificate is signed by itself, and not trusted here';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `its certificate is signed by an authority that is not trusted here: ${issuer}`;
    default:
      return `its certificate is not trusted: ${reason}`;
  }
}

const CERTIFICATE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;

/** What is wrong with a service's TLS, where that is what made a request fail; undefined for a failure of another kind. */
export function tlsDetail(error: unknown): string | undefined {
  const { code = '' } = error as { code?: unknown };
  if (typeof code !== 'string') return undefined;
  if (CERTIFICATE.test(code)) return `its certificate is not trusted: ${code}`;
  return /^(ERR_SSL_|EPROTO$)/.test(code) ? handshakeDetail(error) : undefined;
}

/** A failed connection in plain words. */
export function networkDetail(error: unknown): string {
  const cause = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const { code, message } = cause as NodeJS.ErrnoException;
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens there (connection refused)';
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
    case 'EPIPE':
      return 'the connection was reset';
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'no answer in time';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `there is no way to that network (${code})`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `its name cannot be resolved (${code})`;
    default:
      return code ?? message;
  }
}

function handshakeDetail(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH/.test(code) || /wrong version number/.test(message))
    return 'what answers there does not speak TLS';
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/.test(code))
    return 'it wants a client certificate (tls.cert_file), or speaks no common version of TLS';
  if (/NO_APPLICATION_PROTOCOL/.test(code)) return 'it speaks HTTP/2 alone; HTTP/1.1 has to be allowed there';
  if (code === 'ECONNRESET') return 'the connection was reset during the TLS handshake';
  return code === 'ETIMEDOUT' ? 'no answer to the TLS handshake in time' : code || message;
}
