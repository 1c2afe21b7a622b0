import type { Outcome } from './heartbeats.ts';

export type FailureReason = Extract<Outcome, { kind: 'unavailable' }>['reason'];

/** Why a request brought no answer. `message` is for people and never holds a header. */
export class TransportError extends Error {
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string) {
    super(message);
    this.name = 'TransportError';
    this.reason = reason;
  }
}

const KNOWN: Record<string, [FailureReason, string]> = {
  ENOTFOUND: ['dns', 'the name {host} does not exist in DNS'],
  EAI_AGAIN: ['dns', 'no DNS server answered for {host}'],
  ECONNREFUSED: ['refused', 'nothing listens at {host}'],
  EHOSTUNREACH: ['refused', 'there is no route to {host}'],
  ENETUNREACH: ['refused', 'there is no network to reach {host}'],
  EADDRNOTAVAIL: ['refused', 'this host has no address to reach {host} from'],
  EACCES: ['refused', 'this host does not allow connections to {host}'],
  EPERM: ['refused', 'this host does not allow connections to {host}'],
  ECONNRESET: ['reset', '{host} closed the connection before it answered'],
  EPIPE: ['reset', '{host} closed the connection before it answered'],
  ECONNABORTED: ['reset', 'the connection to {host} was cut'],
  ETIMEDOUT: ['timeout', '{host} does not answer connections'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls', 'the certificate is not for {host}'],
  CERT_HAS_EXPIRED: ['tls', 'the certificate of {host} has expired'],
  CERT_NOT_YET_VALID: ['tls', 'the certificate of {host} is not valid yet; is the clock right?'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['tls', 'the certificate of {host} is self-signed and not trusted'],
  SELF_SIGNED_CERT_IN_CHAIN: ['tls', 'the certificate authority of {host} is not trusted'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['tls', 'the certificate authority of {host} is not trusted'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['tls', 'the certificate authority of {host} is not trusted'],
};

/** Puts what node:http or node:tls threw into one of our reasons and plain words. */
export function transportError(error: unknown, host: string): TransportError {
  if (error instanceof TransportError) return error;
  const { code = '', message = '', reason } = error as { code?: string; message?: string; reason?: string };
  const known = KNOWN[code];
  if (known) return new TransportError(known[0], `${known[1].replace('{host}', host)} (${code})`);
  if (code.startsWith('ERR_PROXY')) return proxyError(message);
  if (code.startsWith('HPE_')) return new TransportError('unexpected', `${host} does not speak HTTP here (${code})`);
  if (/^(ERR_SSL|ERR_TLS|CERT_|UNABLE_TO|EPROTO|ERR_OSSL)/.test(code) || /certificate/i.test(message))
    return new TransportError('tls', `no TLS with ${host}: ${reason ?? code} (${code})`);
  if (code.startsWith('EAI_')) return new TransportError('dns', `the name ${host} cannot be resolved (${code})`);
  return new TransportError('unexpected', `the request to ${host} failed (${code || 'no code'})`);
}

function proxyError(message: string): TransportError {
  const status = /HTTP\/1\.\d (\d{3})/.exec(message)?.[1];
  if (status === '407') return new TransportError('proxy', 'the proxy wants a user name and password (407)');
  return new TransportError('refused', `the proxy does not connect to the service${status ? ` (${status})` : ''}`);
}
