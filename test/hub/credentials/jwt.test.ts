import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createRequire } from 'node:module';
import * as fc from 'fast-check';
import { jwtVerify, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createCredential } from '../../../src/credentials/create.ts';
import { checkToken, isToken, readToken, TokenFault } from '../../../src/hub/credentials/jwt.ts';
import { parsePublicKey, publicKeyOf, thumbprint } from '../../../src/hub/credentials/public-key.ts';
import { ScoutError } from '../../../src/support/errors.ts';

interface Jsonwebtoken {
  sign(claims: object, key: KeyObject, options: object): string;
  verify(token: string, key: KeyObject, options: object): object;
}
const require = createRequire(import.meta.url);
const jsonwebtoken = require('jsonwebtoken') as Jsonwebtoken;

const NOW = Date.UTC(2026, 0, 31, 12);
const SECONDS = NOW / 1_000;
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ID = 'credential-1';
const kid = thumbprint(publicKey.export({ format: 'jwk' }));
const HEADER = { alg: 'RS256', typ: 'JWT', kid };
const CLAIMS = { iss: 'scout', sub: ID, iat: SECONDS, exp: SECONDS + 300 };

const encode = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** A token whose parts are signed as they are given, text as it stands. */
function made(header: unknown = HEADER, claims: unknown = CLAIMS, digest = 'sha256'): string {
  const body = `${encode(header)}.${encode(claims)}`;
  return `${body}.${sign(digest, Buffer.from(body), privateKey).toString('base64url')}`;
}
function check(token: string, now = NOW, key: KeyObject = publicKey): void {
  const read = readToken(token);
  if (read.kid !== kid) throw new TokenFault('another kid');
  checkToken(read, key, ID, now);
}
const refused = (token: string, sentence: string | RegExp, now = NOW) => {
  expect(() => check(token, now)).toThrow(TokenFault);
  expect(() => check(token, now)).toThrow(sentence);
};

describe('vectors of the standards', () => {
  // RFC 7515, A.2: the public key, what is signed and its signature.
  const n =
    'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ';
  const signed = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
  const signature =
    'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw';

  it('RS256 of RFC 7515 A.2 passes the signature, and nothing else of it fits', () => {
    const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' });
    const token = { kid, claims: {}, signed: Buffer.from(signed), signature: Buffer.from(signature, 'base64url') };
    expect(() => checkToken(token, key, ID, NOW)).toThrow('`iss` is not `scout`');
    expect(() => checkToken({ ...token, signed: Buffer.from(`${signed}x`) }, key, ID, NOW)).toThrow('signature');
  });

  it('the thumbprint of RFC 7638 3.1', () => {
    const example =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    expect(thumbprint({ e: 'AQAB', n: example })).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });
});

describe('other implementations', () => {
  const agent = () =>
    createCredential({
      private_key: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url'),
      credential_id: ID,
    } as Parameters<typeof createCredential>[0]);
  const ofAgent = () => (agent().headers(NOW).authorization as string).replace('Bearer ', '');

  it('take the tokens of the agent', async () => {
    const { payload, protectedHeader } = await jwtVerify(ofAgent(), publicKey, {
      algorithms: ['RS256'],
      issuer: 'scout',
      subject: ID,
      currentDate: new Date(NOW),
    });
    expect(protectedHeader).toEqual(HEADER);
    expect(payload).toEqual(CLAIMS);
    const options = { algorithms: ['RS256'], issuer: 'scout', subject: ID, clockTimestamp: SECONDS };
    expect(jsonwebtoken.verify(ofAgent(), publicKey, options)).toEqual(CLAIMS);
    check(ofAgent());
  });

  it('make tokens that the hub takes', async () => {
    check(await new SignJWT(CLAIMS).setProtectedHeader(HEADER).sign(privateKey));
    check(jsonwebtoken.sign(CLAIMS, privateKey, { algorithm: 'RS256', keyid: kid }));
    check(made({ alg: 'RS256', kid }));
  });
});

describe('a token is refused', () => {
  it('whose algorithm is not RS256, whatever its signature', () => {
    refused(`${encode({ ...HEADER, alg: 'none' })}.${encode(CLAIMS)}.`, '`alg` is not RS256');
    const hmac = `${encode({ ...HEADER, alg: 'HS256' })}.${encode(CLAIMS)}`;
    for (const secret of [publicKey.export({ format: 'pem', type: 'spki' }), publicKey.export({ format: 'der', type: 'spki' })])
      refused(`${hmac}.${createHmac('sha256', secret).update(hmac).digest('base64url')}`, '`alg` is not RS256');
    refused(made({ ...HEADER, alg: 'RS512' }, CLAIMS, 'sha512'), '`alg` is not RS256');
    refused(made(HEADER, CLAIMS, 'sha512'), 'signature');
    for (const alg of ['rs256', 'PS256', ['RS256'], undefined]) refused(made({ ...HEADER, alg }), '`alg` is not RS256');
  });

  it('whose header says more than it may, or less', () => {
    refused(made({ ...HEADER, b64: false, crit: ['b64'] }), 'extension');
    refused(made({ ...HEADER, crit: [] }), 'extension');
    refused(made({ ...HEADER, b64: true }), 'extension');
    refused(made({ ...HEADER, typ: 'at+jwt' }), '`typ`');
    for (const wrong of [undefined, 7, '', `${kid}=`, kid.slice(1), `../${kid.slice(3)}`])
      refused(made({ ...HEADER, kid: wrong }), '`kid`');
  });

  it('that names a member twice, also written in another way', () => {
    refused(made(JSON.stringify(HEADER).replace('{', '{"alg":"none",')), 'header has a member twice');
    refused(made(HEADER, JSON.stringify(CLAIMS).replace('{', '{"s\\u0075b":"x",')), 'payload has a member twice');
    check(made(HEADER, { ...CLAIMS, more: { sub: 1, iss: ['"sub":', '{'] }, 'iss"': 1 }));
  });

  it('that is not three parts of base64url, each with one way to write it', () => {
    const token = made();
    const [header, payload, signature] = token.split('.') as [string, string, string];
    for (const wrong of [`${token}.`, `.${token}`, `${header}.${payload}`, `${header}.${payload}.${signature}.x`])
      refused(wrong, 'three parts');
    for (const wrong of [`${header}.${payload}.`, `${token}=`, `${token}==`, `${token} `, `${token}\n`, `${token}AAA`])
      refused(wrong, 'signature is not base64url');
    refused(`${header}=.${payload}.${signature}`, 'header is not base64url');
    refused(`.${payload}.${signature}`, 'header is not base64url');
    refused(
      token.replaceAll(/[-_]/g, (one) => (one === '-' ? '+' : '/')),
      'base64url',
    );
    for (const wrong of ['[]', 'null', '7', '{', '', '\ufeff{}']) refused(made(HEADER, wrong), /payload is not/);
    refused(`${header}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${signature}`, 'payload is not a JSON object');
    refused(made(HEADER, { ...CLAIMS, more: 'x'.repeat(4_000) }), 'more than 4096');
  });

  it('whose claims are not ours', () => {
    for (const iss of ['Scout', undefined, ['scout']]) refused(made(HEADER, { ...CLAIMS, iss }), '`iss`');
    for (const sub of ['', undefined, `${ID} `]) refused(made(HEADER, { ...CLAIMS, sub }), '`sub`');
    refused(made(HEADER, { ...CLAIMS, aud: 'scout' }), '`aud`');
  });

  it('at the wrong time, which the sentence tells', () => {
    const at = (iat: number, exp: number, more = {}) => made(HEADER, { ...CLAIMS, iat: SECONDS + iat, exp: SECONDS + exp, ...more });
    check(at(60, 360));
    check(at(-359, -59));
    refused(at(61, 361), 'from a clock 61 s ahead');
    refused(at(3_600, 3_900), 'from a clock 3600 s ahead');
    refused(at(-360, -60), 'expired 60 s ago');
    refused(at(0, 301), 'lives for 301 s');
    refused(at(0, 0), 'no later than it begins');
    refused(at(0, 300, { nbf: SECONDS + 61 }), '`nbf`');
    for (const iat of ['1', 1.5, -1, null, 1e300, undefined]) refused(made(HEADER, { ...CLAIMS, iat }), '`iat` is not a whole number');
    refused(made(HEADER, { ...CLAIMS, exp: undefined }), '`exp` is not a whole number');
  });

  it('with any one bit changed', () => {
    const token = Buffer.from(made());
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.nat(7), (at, bit) => {
        const other = Buffer.from(token);
        other[at] = (other[at] as number) ^ (1 << bit);
        expect(() => check(other.toString('latin1'))).toThrow(TokenFault);
      }),
      { numRuns: 3_000 },
    );
  });

  it('with nothing but a fault of its own, whatever it is', () => {
    const part = fc.oneof(fc.string(), fc.json().map(encode), fc.constant(encode(HEADER)));
    fc.assert(
      fc.property(part, part, part, (...parts) => {
        expect(() => check(parts.join('.'))).toThrow(TokenFault);
      }),
    );
  });
});

it('tokens are told from keys', () => {
  expect(isToken(made())).toBe(true);
  expect(['', 'a.b', 'a.b.c.d', 'f'.repeat(64)].some(isToken)).toBe(false);
});

describe('a public key', () => {
  const pem = publicKey.export({ format: 'pem', type: 'spki' });
  const der = publicKey.export({ format: 'der', type: 'spki' });
  const faultOf = (text: string) => {
    try {
      parsePublicKey(text, 'the file');
    } catch (error) {
      if (error instanceof ScoutError) return `${error.code}: ${error.problem.message}`;
      throw error;
    }
    return 'none';
  };

  it('is read from PEM and from the DER in base64', () => {
    const pkcs1 = publicKey.export({ format: 'pem', type: 'pkcs1' });
    for (const text of [pem, `\n${pem}\n`, pkcs1, der.toString('base64url'), der.toString('base64')])
      expect(parsePublicKey(text as string, 'f')).toEqual({ text: der.toString('base64url'), kid });
    expect(publicKeyOf(der.toString('base64url')).equals(publicKey)).toBe(true);
  });

  it('is no private key, and what is said of that one shows nothing of it', () => {
    const secret = (format: 'pem' | 'der', type: 'pkcs1' | 'pkcs8') => privateKey.export({ format, type } as never) as unknown as Buffer;
    const texts = (['pkcs1', 'pkcs8'] as const).flatMap((type) => [
      secret('pem', type).toString(),
      secret('der', type).toString('base64url'),
      secret('der', type).toString('base64'),
    ]);
    for (const text of texts) {
      expect(faultOf(text)).toMatch(/^HUB_PUBLIC_KEY: .*it is a private key/);
      expect(faultOf(text)).not.toContain(text.slice(100, 120));
    }
  });

  it('is RSA of 2048 bits or more', () => {
    const other = (pair: { publicKey: KeyObject }) => faultOf(pair.publicKey.export({ format: 'pem', type: 'spki' }) as string);
    expect(other(generateKeyPairSync('rsa', { modulusLength: 1024 }))).toContain('1024 bits');
    expect(other(generateKeyPairSync('ec', { namedCurve: 'P-256' }))).toContain('of type ec');
    expect(other(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }))).toContain('of type rsa-pss');
    expect(faultOf('')).toContain('empty');
    expect(faultOf('%')).toContain('neither PEM, JSON nor base64url');
    expect(faultOf('AAAA')).toContain('of no public key');
    expect(faultOf('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----')).toContain('damaged');
  });
});
