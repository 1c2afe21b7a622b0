import { createHash, createPrivateKey, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { ScoutError } from '../../support/errors.ts';

const LEAST_BITS = 2_048;
/** A larger one would let whoever holds it make each request cost the hub dearly. */
const MOST_BITS = 8_192;
/** With a smaller one a signature can be forged where a verifier is lax, and 1 signs nothing at all; a larger one costs dearly. */
const LEAST_EXPONENT = 65_537n;
const MOST_EXPONENT = 2n ** 32n;
/** A modulus with a factor below this is no product of two large primes. */
const FACTORS_BELOW = 1_000;

/** The public half of an organisation's credential, as the store keeps it. */
export interface PublicKey {
  /** SPKI DER, base64url. */
  text: string;
  /** RFC 7638 thumbprint, base64url. */
  kid: string;
}

/**
 * Reads an RSA public key from PEM, from a JWK (RFC 7517), or from DER (SPKI or PKCS#1) as it is, in base64url or base64.
 * Throws HUB_PUBLIC_KEY with the reason; `path` is what messages call the place it came from.
 */
export function parsePublicKey(given: string | Buffer, path: string): PublicKey {
  const fail = (detail: string) => new ScoutError('HUB_PUBLIC_KEY', { path, detail });
  const text = typeof given === 'string' ? given.trim() : isDer(given) ? given.toString('base64url') : given.toString().trim();
  if (text === '') throw fail('it is empty');
  const label = /^-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  if (label?.includes('PRIVATE KEY')) throw fail('it is a private key, which must stay where it was made');
  if (label === 'CERTIFICATE') throw fail('it is a certificate');
  const key = text.startsWith('{') ? fromJwk(text, fail) : label === undefined ? fromDer(text, fail) : attempt(() => createPublicKey(text));
  if (!key) throw fail('its PEM is damaged');
  if (key.asymmetricKeyType !== 'rsa') throw fail(`it is of type ${key.asymmetricKeyType}`);
  const jwk = key.export({ format: 'jwk' });
  const fault = weaknessOf(key, jwk.n ?? '');
  if (fault) throw fail(fault);
  return { text: key.export({ format: 'der', type: 'spki' }).toString('base64url'), kid: thumbprint(jwk) };
}

/** Why a key proves nothing, or costs too much; undefined for a sound one. The library itself takes any two numbers. */
function weaknessOf({ asymmetricKeyDetails: details = {} }: KeyObject, modulus: string): string | undefined {
  const { modulusLength: bits = 0, publicExponent: exponent = 0n } = details;
  if (bits < LEAST_BITS || bits > MOST_BITS) return `it has ${bits} bits; ${LEAST_BITS} to ${MOST_BITS} are taken`;
  if (exponent < LEAST_EXPONENT || exponent > MOST_EXPONENT || exponent % 2n === 0n)
    return `its public exponent is not an odd number from ${LEAST_EXPONENT} to ${MOST_EXPONENT}`;
  const n = BigInt(`0x${Buffer.from(modulus, 'base64url').toString('hex')}`);
  for (let factor = 2; factor < FACTORS_BELOW; factor++)
    if (n % BigInt(factor) === 0n) return 'its modulus is not the product of two large primes';
  return undefined;
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

/** The SHA-256 behind a `kid`, hex: stands where an API key's hash would. Of an organisation's API key it is the hash itself. */
export const hashOfKid = (kid: string): string => (kid.length === 64 ? kid : Buffer.from(kid, 'base64url').toString('hex'));

/** What people are shown of a credential: the first 12 hex digits of its thumbprint. */
export const fingerprintOfKid = (kid: string): string => hashOfKid(kid).slice(0, 12);

/** A SEQUENCE of 128 bytes or more: no text begins so. */
const isDer = (bytes: Buffer): boolean => bytes[0] === 0x30 && (bytes[1] ?? 0) > 0x80;

function fromJwk(text: string, fail: (detail: string) => ScoutError): KeyObject {
  const jwk: unknown = attempt(() => JSON.parse(text));
  if (typeof jwk !== 'object' || jwk === null) throw fail('it is neither PEM, JSON nor base64url');
  if ('d' in jwk) throw fail('it is a private key, which must stay where it was made');
  if ('keys' in jwk) throw fail('it is a set of keys (JWKS): give one of them');
  const key = attempt(() => createPublicKey({ key: jwk as webcrypto.JsonWebKey, format: 'jwk' }));
  if (!key) throw fail('it is JSON, but no public key (JWK)');
  return key;
}

function fromDer(text: string, fail: (detail: string) => ScoutError): KeyObject {
  const compact = text.replace(/\s/g, '');
  if (!/^[\w+/-]+={0,2}$/.test(compact)) throw fail('it is neither PEM, JSON nor base64url');
  const key = Buffer.from(compact, 'base64url');
  // First: out of a private key the library would make the public one.
  const secret = (['pkcs8', 'pkcs1'] as const).some((type) => attempt(() => createPrivateKey({ key, format: 'der', type })));
  if (secret) throw fail('it is a private key, which must stay where it was made');
  const read = (type: 'spki' | 'pkcs1') => attempt(() => createPublicKey({ key, format: 'der', type }));
  const found = read('spki') ?? read('pkcs1');
  if (!found) throw fail('it is base64url, but of no public key in DER');
  return found;
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
