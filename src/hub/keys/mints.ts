import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { hashKey } from '../servers.ts';

/*
 * How a minted key is kept for the same request to come again: sealed under what only the one who asked knows, his old
 * key and his Idempotency-Key. The hub keeps neither, so its database opens nothing.
 */

const SALT = 16;
const IV = 12;
const TAG = 16;

/** Under which id a mint is kept: SHA-256 over the hash of the key that asked and the Idempotency-Key, hex. */
export function mintId(oldKey: string, idempotencyKey: string): string {
  return createHash('sha256')
    .update(`${hashKey(oldKey)}\0${idempotencyKey}`)
    .digest('hex');
}

/** Seals a new key: salt, IV, ciphertext and tag end to end (HKDF-SHA256, AES-256-GCM). */
export function sealMint(key: string, oldKey: string, idempotencyKey: string): Uint8Array {
  const [salt, iv] = [randomBytes(SALT), randomBytes(IV)];
  const cipher = createCipheriv('aes-256-gcm', derive(oldKey, idempotencyKey, salt), iv);
  cipher.setAAD(Buffer.from(mintId(oldKey, idempotencyKey)));
  return Buffer.concat([salt, iv, cipher.update(key, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what `sealMint` made. Throws when it was not made with these two, or was changed. */
export function openMint(sealed: Uint8Array, oldKey: string, idempotencyKey: string): string {
  const bytes = Buffer.from(sealed);
  const [salt, iv] = [bytes.subarray(0, SALT), bytes.subarray(SALT, SALT + IV)];
  const decipher = createDecipheriv('aes-256-gcm', derive(oldKey, idempotencyKey, salt), iv, { authTagLength: TAG });
  decipher.setAAD(Buffer.from(mintId(oldKey, idempotencyKey)));
  decipher.setAuthTag(bytes.subarray(-TAG));
  return decipher.update(bytes.subarray(SALT + IV, -TAG), undefined, 'utf8') + decipher.final('utf8');
}

function derive(oldKey: string, idempotencyKey: string, salt: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', `${oldKey}\0${idempotencyKey}`, salt, 'scout-hub mint v1', 32));
}
