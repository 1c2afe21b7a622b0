import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { ScoutError } from '../support/errors.ts';

const LEAST_BITS = 2_048;
/** A larger one would let whoever holds it make each request cost the hub dearly. */
const MOST_BITS = 8_192;

/** The public half of an organisation's credential, as the store keeps it. */
export interface PublicKey {
  /** SPKI DER, base64url. */
  text: string;
  /** RFC 7638 thumbprint, base64url. */
  kid: string;
}

/**
 * Reads an RSA public key from PEM, or from base64url or base64 of its SPKI DER. Throws HUB_PUBLIC_KEY with the reason;
 * `path` is what messages call the place it came from.
 */
export function parsePublicKey(given: string, path: string): PublicKey {
  const fail = (detail: string) => new ScoutError('HUB_PUBLIC_KEY', { path, detail });
  const text = given.trim();
  if (text === '') throw fail('it is empty');
  const label = /^-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  if (label?.includes('PRIVATE KEY')) throw fail('it is a private key, which must stay where it was made');
  if (label === 'CERTIFICATE') throw fail('it is a certificate');
  const key = label === undefined ? fromDer(text, fail) : attempt(() => createPublicKey(text));
  if (!key) throw fail('its PEM is damaged');
  if (key.asymmetricKeyType !== 'rsa') throw fail(`it is of type ${key.asymmetricKeyType}`);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < LEAST_BITS || bits > MOST_BITS) throw fail(`it has ${bits} bits; ${LEAST_BITS} to ${MOST_BITS} are taken`);
  const text64 = key.export({ format: 'der', type: 'spki' }).toString('base64url');
  return { text: text64, kid: thumbprint(key.export({ format: 'jwk' })) };
}

/** A public key as the store keeps it, ready to verify with. */
export function publicKeyOf(text: string): KeyObject {
  return createPublicKey({ key: Buffer.from(text, 'base64url'), format: 'der', type: 'spki' });
}

/** RFC 7638 thumbprint of an RSA key, base64url: the `kid`. */
export function thumbprint({ e, n }: { e?: string; n?: string }): string {
  return createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url');
}

/** The SHA-256 behind a `kid`, hex: stands where an API key's hash would. */
export const hashOfKid = (kid: string): string => Buffer.from(kid, 'base64url').toString('hex');

/** What people are shown of a credential: the first 12 hex digits of its thumbprint. */
export const fingerprintOfKid = (kid: string): string => hashOfKid(kid).slice(0, 12);

function fromDer(text: string, fail: (detail: string) => ScoutError): KeyObject {
  const compact = text.replace(/\s/g, '');
  if (!/^[\w+/-]+={0,2}$/.test(compact)) throw fail('it is neither PEM nor base64url');
  const key = Buffer.from(compact, 'base64url');
  const found = attempt(() => createPublicKey({ key, format: 'der', type: 'spki' }));
  if (found) return found;
  const secret = (['pkcs8', 'pkcs1'] as const).some((type) => attempt(() => createPrivateKey({ key, format: 'der', type })));
  throw fail(secret ? 'it is a private key, which must stay where it was made' : 'it is base64url, but of no public key in DER (SPKI)');
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
