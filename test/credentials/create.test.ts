import { verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { createCredential } from '../../src/credentials/create.ts';
import { thumbprint } from '../../src/credentials/private-key.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { freshRsa } from './scratch-keys.ts';

const api = (settings: object) => configSchema.parse({ api: settings }).api;
const NOW = 1_900_000_000_000;

describe('createCredential', () => {
  it('sends an API key in X-API-Key, and as a bearer when told to', () => {
    const key = createCredential(api({ key: 'k1' }));
    expect(key.headers(NOW)).toEqual({ 'x-api-key': 'k1' });
    expect(key.fingerprint).toBe(fingerprint('k1'));
    expect(createCredential(api({ key: 'k1', auth: 'bearer' })).headers(NOW)).toEqual({ authorization: 'Bearer k1' });
  });

  it('sends the private key itself as a bearer where there is nothing else', () => {
    const { text, publicKey } = freshRsa();
    const bearer = createCredential(api({ private_key: text, auth: 'bearer' }));
    expect(bearer.headers(NOW)).toEqual({ authorization: `Bearer ${text}` });
    expect(bearer.fingerprint).toBe(thumbprint(publicKey).toString('hex').slice(0, 12));
  });

  it('signs a token that the public key verifies, and makes another when it runs out or the clock goes back', () => {
    const rsa = freshRsa();
    const credential = createCredential(api({ private_key: rsa.text, credential_id: 'c-1' }));
    const token = (now: number) => credential.headers(now).authorization?.replace('Bearer ', '') ?? '';
    const first = token(NOW);
    const [header, claims, signature] = first.split('.') as [string, string, string];
    const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
    const digest = thumbprint(rsa.publicKey);
    expect(decode(header)).toEqual({ alg: 'RS256', typ: 'JWT', kid: digest.toString('base64url') });
    expect(decode(claims)).toEqual({ iss: 'scout', sub: 'c-1', iat: NOW / 1_000, exp: NOW / 1_000 + 300 });
    expect(verify('sha256', Buffer.from(`${header}.${claims}`), rsa.publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(credential.fingerprint).toBe(digest.toString('hex').slice(0, 12));
    expect(token(NOW + 270_000)).toBe(first);
    expect(token(NOW + 271_000)).not.toBe(first);
    expect(token(NOW - 10_000)).not.toBe(first);
  });
});
