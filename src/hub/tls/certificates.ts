import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import { bits, explicit, implicit, integer, octets, oid, sequence, set, TRUE, time, utf8 } from './der.ts';

/** A certificate and its private key, both PEM. */
export interface Pair {
  cert: string;
  key: string;
}

const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
/** Under the 398 days that clients take at most. */
const LEAF_DAYS = 397;
/** Clients whose clock is a little behind shall take a new certificate too. */
const BACKDATED_MS = 3_600_000;
const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));

/** Makes a certificate authority of our own (ECDSA P-256, RFC 5280), for ten years from `now`. */
export function makeAuthority(name: string, now: number): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const cert = certificate({
    issuer: name,
    subject: name,
    from: now - BACKDATED_MS,
    until: now + CA_DAYS * DAY_MS,
    publicKey,
    signer: privateKey,
    extensions: [
      // It may sign certificates, and none of them may sign further ones.
      extension('2.5.29.19', sequence(TRUE, integer(Buffer.from([0]))), true),
      extension('2.5.29.15', bits(Buffer.from([0b0000_0110]), 1), true),
    ],
  });
  return { cert, key: pem(privateKey) };
}

/** Makes a server's certificate for `names` (DNS names and addresses), signed by the authority called `issuer`. */
export function makeLeaf(authority: Pair, issuer: string, names: string[], now: number): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const cert = certificate({
    issuer,
    subject: names[0] as string,
    from: now - BACKDATED_MS,
    until: now + LEAF_DAYS * DAY_MS,
    publicKey,
    signer: createPrivateKey(authority.key),
    extensions: [
      extension('2.5.29.19', sequence(), true),
      extension('2.5.29.15', bits(Buffer.from([0b1000_0000]), 7), true),
      extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))),
      extension('2.5.29.17', sequence(...names.map(generalName))),
    ],
  });
  return { cert, key: pem(privateKey) };
}

interface Wanted {
  issuer: string;
  subject: string;
  from: number;
  until: number;
  publicKey: KeyObject;
  signer: KeyObject;
  extensions: Buffer[];
}

function certificate({ issuer, subject, from, until, publicKey, signer, extensions }: Wanted): string {
  const serial = randomBytes(16);
  // Positive and of full length.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_WITH_SHA256,
    commonName(issuer),
    sequence(time(from), time(until)),
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(
      3,
      sequence(
        ...extensions,
        extension('2.5.29.14', octets(keyId(publicKey))),
        extension('2.5.29.35', sequence(implicit(0, keyId(createPublicKey(signer))))),
      ),
    ),
  );
  const signed = sequence(body, ECDSA_WITH_SHA256, bits(sign('sha256', body, signer)));
  const lines = signed.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** Within the 64 characters that a common name may have. */
const commonName = (name: string) => sequence(set(sequence(oid('2.5.4.3'), utf8(name.slice(0, 64)))));

function extension(id: string, value: Buffer, critical = false): Buffer {
  return critical ? sequence(oid(id), TRUE, octets(value)) : sequence(oid(id), octets(value));
}

/** SHA-1 over the key as RFC 5280, 4.2.1.2 has it: it tells keys apart and secures nothing. */
const keyId = (key: KeyObject) =>
  createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }).subarray(-65))
    .digest();

function generalName(name: string): Buffer {
  return isIP(name) ? implicit(7, addressBytes(name)) : implicit(2, Buffer.from(name, 'ascii'));
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [left = '', right] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const head = groups(left);
  const tail = groups(right ?? '');
  const middle = Array<string>(8 - head.length - tail.length).fill('0');
  return Buffer.from([...head, ...middle, ...tail].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }) as string;
