import { generateKeyPairSync, randomInt } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import { fingerprint } from '../support/fingerprint.ts';
import { authOf } from './create.ts';
import type { Credential } from './credential.ts';
import { parsePrivateKey } from './private-key.ts';

/** The same settings with a credential that nobody issued. */
export function randomLike(api: Config['api']): Config['api'] {
  if (authOf(api) === 'jwt' || api.key === undefined) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { kid: _kid, ...rest } = api;
    return { ...rest, private_key: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url') };
  }
  return { ...api, key: randomText(api.key) };
}

/** Random text with the same signs at the same kinds of places: hex stays hex. */
function randomText(shape: string): string {
  const hex = /^[0-9a-fA-F]+$/.test(shape);
  const pick = (from: string) => from[randomInt(from.length)] as string;
  return [...shape]
    .map((c) =>
      hex ? pick('0123456789abcdef') : /\d/.test(c) ? pick('0123456789') : /[a-z]/i.test(c) ? pick('abcdefghijklmnopqrstuvwxyz') : c,
    )
    .join('');
}

/** The fingerprints by which a service may call what was sent: a private key that is sent itself, also by its text. */
export function namesOf(api: Config['api'], credential: Credential): string[] {
  const sent = authOf(api) === 'bearer' && api.key === undefined && api.private_key !== undefined;
  return [credential.fingerprint, ...(sent ? [fingerprint(parsePrivateKey(api.private_key as string).text)] : [])];
}
