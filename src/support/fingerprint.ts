import { createHash } from 'node:crypto';

/** What people are shown in place of a key: the first 12 hex digits of its SHA-256. */
export function fingerprint(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 12);
}

/** A secret in a listing: nothing of it but that it is there. */
export const MASK = '********';
