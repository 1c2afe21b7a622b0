import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import type { Hub } from '../hub.ts';
import { rfc3339 } from '../servers.ts';
import type { OrgCredential } from '../store/store.ts';
import { fingerprintOfCredential, isAlive } from './credentials.ts';
import { checkToken, readToken, TokenFault } from './jwt.ts';
import { publicKeyOf, thumbprint } from './public-key.ts';

/** Private keys whose kid is remembered; each takes 120 bytes. */
const KNOWN_MOST = 1_000;
/** PKCS#8 of an RSA key of 2048 bits has 1,600 characters in base64; every one begins with a SEQUENCE of two length bytes. */
const PRIVATE_KEY_LEAST = 1_000;

/** Credentials of organisations, by what a host may send of them: a signed token, the private key, or an API key. */
export class Bearers {
  readonly #hub: Pick<Hub, 'store' | 'now'>;
  /** Kid by SHA-256 of a private key that proved itself; oldest first. Nothing of the key, and nothing of its standing. */
  readonly #known = new Map<string, string>();

  constructor(hub: Pick<Hub, 'store' | 'now'>) {
    this.#hub = hub;
  }

  /** The credential that signed a token. Throws TokenFault. */
  async byToken(text: string): Promise<OrgCredential> {
    const token = readToken(text);
    const credential = await this.#find(token.kid);
    checkToken(token, publicKeyOf(credential.publicKey), credential.id, this.#hub.now());
    return this.#unlessEnded(credential);
  }

  /** The credential whose private key this is. Throws TokenFault. */
  async byPrivateKey(text: string): Promise<OrgCredential> {
    const hash = createHash('sha256').update(text).digest('hex');
    const kid = this.#known.get(hash);
    if (kid !== undefined) return this.#unlessEnded(await this.#find(kid));
    const key = privateKeyOf(text);
    const credential = await this.#find(thumbprint(createPublicKey(key).export({ format: 'jwk' })));
    // A private key carries its public half, which anyone may know; only what it signs shows that it is whole.
    if (!proves(key, publicKeyOf(credential.publicKey))) throw new TokenFault('This private key does not fit its own public half.');
    this.#remember(hash, credential.kid);
    return this.#unlessEnded(credential);
  }

  async #find(kid: string): Promise<OrgCredential & { publicKey: string }> {
    const credential = await this.#hub.store.credentialByKid(kid);
    if (!hasPair(credential))
      throw new TokenFault('The key is of no credential that is known here: it was deleted, or its public half was never added.');
    return credential;
  }

  /** The credential with this API key; undefined where there is none. Throws TokenFault. */
  async byApiKey(hash: string): Promise<OrgCredential | undefined> {
    const credential = await this.#hub.store.credentialByKid(hash);
    return credential?.publicKey === null ? this.#unlessEnded(credential) : undefined;
  }

  #unlessEnded(credential: OrgCredential): OrgCredential {
    if (isAlive(credential, this.#hub.now())) return credential;
    const what = `The credential ${credential.name} (fingerprint ${fingerprintOfCredential(credential)})`;
    throw new TokenFault(credential.enabled ? `${what} was valid until ${rfc3339(credential.expiresAt ?? 0)}.` : `${what} is disabled.`);
  }

  #remember(hash: string, kid: string): void {
    if (this.#known.size >= KNOWN_MOST) for (const [oldest] of this.#known.entries().take(1)) this.#known.delete(oldest);
    this.#known.set(hash, kid);
  }
}

const hasPair = (one: OrgCredential | undefined): one is OrgCredential & { publicKey: string } => typeof one?.publicKey === 'string';

/** Whether a bearer has the form of a private key: base64 or base64url of long DER. */
export const isPrivateKey = (text: string): boolean => text.length >= PRIVATE_KEY_LEAST && /^MI[\w+/-]+={0,2}$/.test(text);

function privateKeyOf(text: string): KeyObject {
  try {
    const key = createPrivateKey({ key: Buffer.from(text, 'base64url'), format: 'der', type: 'pkcs8' });
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {}
  throw new TokenFault('What was sent has the form of a private key, but is no RSA key in PKCS#8: it was probably cut.');
}

function proves(secret: KeyObject, open: KeyObject): boolean {
  const challenge = randomBytes(32);
  try {
    return verify('sha256', challenge, open, sign('sha256', challenge, secret));
  } catch {
    return false;
  }
}
