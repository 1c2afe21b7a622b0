import { sign } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import { API_KEY_HEADER } from '../protocol/wire.ts';
import { fingerprint } from '../support/fingerprint.ts';
import type { Credential } from './credential.ts';
import { parsePrivateKey, thumbprint } from './private-key.ts';

/** Seconds a token lives, and how many must be left for it to be used again. */
const TOKEN_LIFE = 300;
const TOKEN_REMAKE = 30;

/** The way the key is sent when `api.auth` is unset: a signed token where there is a private key. */
export function authOf(api: Config['api']): 'api-key' | 'bearer' | 'jwt' {
  return api.auth ?? (api.private_key !== undefined ? 'jwt' : 'api-key');
}

/**
 * The credential of a configuration that passed its check. Throws PRIVATE_KEY when the private key is none.
 * With `bearer` the private key itself is sent where there is no `key`.
 */
export function createCredential(api: Config['api']): Credential {
  const auth = authOf(api);
  if (auth === 'jwt') return new SignedCredential(api);
  if (auth === 'api-key') return fixed(api.key ?? '', (key) => ({ [API_KEY_HEADER]: key }));
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  if (api.key !== undefined || api.private_key === undefined) return fixed(api.key ?? '', bearer);
  const { key, text } = parsePrivateKey(api.private_key);
  // The service knows the public half only, and calls the key by that, however it is sent.
  return fixed(text, bearer, thumbprint(key).toString('hex').slice(0, 12));
}

function fixed(key: string, carry: (key: string) => Record<string, string>, name = fingerprint(key)): Credential {
  const carried = carry(key);
  return { fingerprint: name, headers: () => carried };
}

/**
 * JWT of an organisation credential (RS256): `kid` is the RFC 7638 thumbprint, `iss` is `scout`, `sub` the credential's
 * id. Its fingerprint is the thumbprint in hex, cut like any other: the service can tell it from the public key alone.
 */
class SignedCredential implements Credential {
  readonly fingerprint: string;
  private readonly key: ReturnType<typeof parsePrivateKey>['key'];
  private readonly header: string;
  private readonly subject: string;
  private carried: Record<string, string> = {};
  private from = 0;
  private until = 0;

  constructor(api: Config['api']) {
    this.key = parsePrivateKey(api.private_key ?? '').key;
    const digest = thumbprint(this.key);
    this.fingerprint = digest.toString('hex').slice(0, 12);
    this.header = encode({ alg: 'RS256', typ: 'JWT', kid: digest.toString('base64url') });
    this.subject = api.credential_id ?? '';
  }

  headers(now: number): Record<string, string> {
    const seconds = Math.floor(now / 1_000);
    // A clock that went back would make the cached token one from the future.
    if (seconds >= this.from && seconds <= this.until - TOKEN_REMAKE) return this.carried;
    this.from = seconds;
    this.until = seconds + TOKEN_LIFE;
    const body = `${this.header}.${encode({ iss: 'scout', sub: this.subject, iat: this.from, exp: this.until })}`;
    const signature = sign('sha256', Buffer.from(body), this.key).toString('base64url');
    this.carried = { authorization: `Bearer ${body}.${signature}` };
    return this.carried;
  }

  renew(): void {
    this.until = 0;
  }
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
