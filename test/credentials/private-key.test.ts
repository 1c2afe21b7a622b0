import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parsePrivateKey, thumbprint } from '../../src/credentials/private-key.ts';
import { freshRsa } from './scratch-keys.ts';

const rsa = freshRsa();
const failure = (text: string): string => {
  try {
    parsePrivateKey(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
};

describe('parsePrivateKey', () => {
  it.each([
    ['base64url', rsa.text],
    ['base64', rsa.der.toString('base64')],
    ['base64 on lines', (rsa.der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')],
    ['PEM', rsa.pem],
    ['PEM with \\n written out', rsa.pem.replaceAll('\n', '\\n')],
    ['base64 of PEM', Buffer.from(rsa.pem).toString('base64')],
  ])('reads %s', (_, text) => {
    const { key, text: line } = parsePrivateKey(text);
    expect(key.equals(rsa.privateKey)).toBe(true);
    expect(Buffer.from(line, 'base64url')).toEqual(rsa.der);
  });

  it.each([
    ['nothing', '', 'empty'],
    ['text', 'this is no key!', 'not base64url: character 15'],
    ['other bytes', Buffer.from('hello, hello').toString('base64url'), 'not DER'],
    ['a cut key', rsa.text.slice(0, 400), 'cut'],
    ['a cut PEM', rsa.pem.slice(0, 400), 'cut'],
    ['PKCS#1 in PEM', rsa.pkcs1, 'PKCS#1'],
    ['PKCS#1 in DER', rsa.privateKey.export({ format: 'der', type: 'pkcs1' }).toString('base64url'), 'PKCS#1'],
    ['the public key in DER', rsa.publicKey.export({ format: 'der', type: 'spki' }).toString('base64url'), 'public key'],
    ['the public key in PEM', rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString(), 'public key'],
    [
      'an EC key',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      'type ec',
    ],
    ['a short key', freshRsa(1024).pem, '1024 bits'],
    [
      'a sealed key',
      rsa.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
      'passphrase',
    ],
    ['DER of something else', Buffer.from([0x30, 0x03, 0x02, 0x01, 0x00]).toString('base64url'), 'not of a PKCS#8'],
  ])('names what is wrong with %s', (_, text, reason) => {
    expect(failure(text)).toContain(reason);
  });
});

describe('thumbprint', () => {
  it('is that of RFC 7638, 3.1', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    const key = createPublicKey({ format: 'jwk', key: { kty: 'RSA', e: 'AQAB', n } });
    expect(thumbprint(key).toString('base64url')).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });
});
