import { createPublicKey, generateKeyPairSync, generatePrimeSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parsePublicKey } from '../../../src/hub/credentials/public-key.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const SPKI = publicKey.export({ format: 'der', type: 'spki' });
const sound = generatePrimeSync(1_024, { bigint: true }) * generatePrimeSync(1_024, { bigint: true });

const base64url = (number: bigint): string => {
  const hex = number.toString(16);
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex').toString('base64url');
};
/** base64url of the SPKI of any two numbers: the library asks nothing of them. */
const keyOf = (n: bigint, e = 65_537n): string =>
  createPublicKey({ key: { kty: 'RSA', n: base64url(n), e: base64url(e) }, format: 'jwk' })
    .export({ format: 'der', type: 'spki' })
    .toString('base64url');
const ofBits = (bits: number): bigint => BigInt(`0x${randomBytes(bits / 8).toString('hex')}`) | 1n | (1n << BigInt(bits - 1));
const faultOf = (text: string): string => {
  try {
    parsePublicKey(text, 'f');
    return 'none';
  } catch (error) {
    expect(error).toMatchObject({ code: 'HUB_PUBLIC_KEY' });
    return (error as Error).message;
  }
};

describe('parsePublicKey', () => {
  it('takes one key alike in every form that it is given in', () => {
    const forms = [
      SPKI.toString('base64url'),
      SPKI.toString('base64'),
      ` ${SPKI.toString('base64').replace(/(.{64})/g, '$1\n')}\n`,
      publicKey.export({ format: 'pem', type: 'spki' }),
      publicKey.export({ format: 'pem', type: 'pkcs1' }),
      SPKI,
      publicKey.export({ format: 'der', type: 'pkcs1' }),
      publicKey.export({ format: 'der', type: 'pkcs1' }).toString('base64url'),
      Buffer.from(publicKey.export({ format: 'pem', type: 'spki' })),
      JSON.stringify(publicKey.export({ format: 'jwk' })),
      Buffer.from(JSON.stringify({ ...publicKey.export({ format: 'jwk' }), kid: 'x', use: 'sig', alg: 'RS256' }, null, 2)),
    ];
    for (const form of forms) expect(parsePublicKey(form as string | Buffer, 'f')).toEqual(parsePublicKey(forms[0] as string, 'f'));
    expect(faultOf(keyOf(sound))).toBe('none');
  });

  it.each([0n, 1n, 2n, 3n, 17n, 65_536n, 65_538n, 2n ** 32n + 1n, 2n ** 64n + 1n])('refuses the public exponent %d', (e) => {
    expect(faultOf(keyOf(sound, e))).toContain('public exponent');
  });

  it('refuses a modulus that is even, or has a small factor', () => {
    const odd = ofBits(2_048);
    for (const n of [odd + 1n, odd - (odd % 3n), odd - (odd % 997n)]) expect(faultOf(keyOf(n))).toContain('two large primes');
  });

  it.each([512, 1_024, 2_040, 8_200, 16_384, 32_768])('refuses %d bits', (bits) => {
    expect(faultOf(keyOf(ofBits(bits)))).toContain(`${bits} bits`);
  });

  it('refuses private halves, other kinds of keys, and what is none, and repeats nothing of them', () => {
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
    const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const ed = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const faults = [
      [pkcs8, 'it is a private key'],
      [privateKey.export({ format: 'pem', type: 'pkcs1' }) as string, 'it is a private key'],
      [privateKey.export({ format: 'der', type: 'pkcs1' }).toString('base64'), 'it is a private key'],
      [pss, 'of type rsa-pss'],
      [ed, 'of type ed25519'],
      [SPKI.toString('base64url').slice(0, -40), 'no public key in DER'],
      ['', 'empty'],
      ['{"kty":"RSA"}', 'no public key (JWK)'],
      ['{"kty":"RSA"', 'neither PEM, JSON nor base64url'],
      [JSON.stringify(privateKey.export({ format: 'jwk' })), 'it is a private key'],
      [JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }), 'JWKS'],
      ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'damaged'],
      ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'certificate'],
    ] as const;
    for (const [text, fault] of faults) expect(faultOf(text)).toContain(fault);
    expect(faultOf(pkcs8)).not.toContain(pkcs8.slice(100, 120));
  });
});
