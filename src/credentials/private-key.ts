import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { ScoutError } from '../support/errors.ts';

/** An RSA private key, ready to sign, with the text that stands for it on one line. */
export interface PrivateKey {
  key: KeyObject;
  /** base64url of its PKCS#8 DER, as services hand it out; what `auth: bearer` sends. */
  text: string;
}

const LEAST_BITS = 2048;

const PKCS1 = 'it is PKCS#1, not PKCS#8; convert its PEM with `openssl pkcs8 -topk8 -nocrypt -in OLD.pem -out NEW.pem`';

/** What other PEM blocks are, for people who paste the wrong one. */
const WRONG_PEM: Record<string, string> = {
  'RSA PRIVATE KEY': PKCS1,
  'ENCRYPTED PRIVATE KEY': 'it is protected by a passphrase; take that off with `openssl pkcs8 -in OLD.pem -out NEW.pem`',
  'EC PRIVATE KEY': 'it is an EC key',
  'PUBLIC KEY': 'it is the public key',
  'RSA PUBLIC KEY': 'it is the public key',
  CERTIFICATE: 'it is a certificate',
  'OPENSSH PRIVATE KEY': 'it is in OpenSSH’s own format; convert it with `ssh-keygen -p -m PKCS8 -f FILE`',
};

/**
 * Reads an RSA private key from base64url or base64 of PKCS#8 DER, or from PEM (also with `\n` written out, as in
 * environment variables). Throws PRIVATE_KEY with the reason; `name` is what messages call the setting.
 */
export function parsePrivateKey(text: string, name = 'api.private_key'): PrivateKey {
  const fail = (detail: string) => new ScoutError('PRIVATE_KEY', { name, detail });
  const trimmed = text.trim().replaceAll('\\n', '\n');
  if (trimmed === '') throw fail('it is empty');
  if (/^[0-9a-f]{64}$/i.test(trimmed)) throw fail('it is a key of 64 hexadecimal characters, which belongs in api.key');
  const der = trimmed.startsWith('-----BEGIN ') ? fromPem(trimmed, fail) : fromBase64(trimmed, fail);
  const inner = der.subarray(0, 11).toString('latin1') === '-----BEGIN ' ? fromPem(der.toString('latin1'), fail) : der;
  const key = fromDer(inner, fail);
  if (key.asymmetricKeyType !== 'rsa') throw fail(`it is of type ${key.asymmetricKeyType}, not RSA`);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < LEAST_BITS) throw fail(`it has ${bits} bits, fewer than ${LEAST_BITS}`);
  // A service compares the text it handed out: one line of base64 is sent as it was given.
  return { key, text: /^[\w+/=-]+$/.test(trimmed) && inner === der ? trimmed : inner.toString('base64url') };
}

/** RFC 7638 thumbprint of a key's public half, as raw bytes; its base64url is the `kid`. */
export function thumbprint(key: KeyObject): Buffer {
  const { e, n } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  return createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest();
}

type Fail = (detail: string) => ScoutError;

function fromPem(pem: string, fail: Fail): Buffer {
  const label = /^-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1];
  if (label === undefined) throw fail('its PEM header is damaged');
  const wrong = WRONG_PEM[label];
  if (wrong) throw fail(wrong);
  if (label !== 'PRIVATE KEY') throw fail('it is a PEM block of another kind');
  const body = /^-----BEGIN PRIVATE KEY-----([\s\S]*?)-----END PRIVATE KEY-----/.exec(pem)?.[1];
  if (body === undefined) throw fail('its PEM block has no end; it was probably cut');
  return fromBase64(body, fail);
}

function fromBase64(text: string, fail: Fail): Buffer {
  const foreign = text.search(/[^A-Za-z0-9+/_=\s-]/);
  if (foreign !== -1) throw fail(`it is not base64url: character ${foreign + 1} does not belong there`);
  const compact = text.replace(/\s/g, '');
  const padding = compact.indexOf('=');
  if (padding !== -1 && !/^={1,2}$/.test(compact.slice(padding))) throw fail('it is not base64url: `=` stands before its end');
  if (compact.replace(/=+$/, '').length % 4 === 1) throw fail('it is not base64url: its length is impossible; it was probably cut');
  return Buffer.from(compact, 'base64url');
}

function fromDer(der: Buffer, fail: Fail): KeyObject {
  const size = derLength(der);
  if (size === undefined) throw fail('it is base64url, but of something that is not DER');
  if (size > der.length) throw fail(`it is DER that was cut: ${der.length} of ${size} bytes`);
  if (size < der.length) throw fail(`it is DER with ${der.length - size} bytes too many`);
  const as = (make: () => KeyObject) => {
    try {
      return make();
    } catch {
      return undefined;
    }
  };
  const key = as(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  // PKCS#8 has an algorithm after its version number, PKCS#1 another number; OpenSSL takes both under either name.
  const pkcs1 = as(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs1' }));
  if (key && !(pkcs1 && isPkcs1(der))) return key;
  if (pkcs1) throw fail(PKCS1);
  const open =
    as(() => createPublicKey({ key: der, format: 'der', type: 'spki' })) ??
    as(() => createPublicKey({ key: der, format: 'der', type: 'pkcs1' }));
  throw fail(open ? 'it is the public key' : 'it is DER, but not of a PKCS#8 private key');
}

/** Whole length of the outermost SEQUENCE by its header; undefined when it is none. */
function derLength(der: Buffer): number | undefined {
  const first = der[1];
  if (der[0] !== 0x30 || first === undefined) return undefined;
  if (first < 0x80) return 2 + first;
  const octets = first & 0x7f;
  if (octets < 1 || octets > 4 || der.length < 2 + octets) return undefined;
  return 2 + octets + der.readUIntBE(2, octets);
}

/** After the header and the version (02 01 00), PKCS#1 goes on with an INTEGER, PKCS#8 with a SEQUENCE. */
function isPkcs1(der: Buffer): boolean {
  const first = der[1] as number;
  const body = first < 0x80 ? 2 : 2 + (first & 0x7f);
  return der[body] === 0x02 && der[body + 3] === 0x02;
}
