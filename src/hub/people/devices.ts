import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { User } from '../store/store.ts';

/*
 * What a browser keeps after somebody signed in with it, and shows the next time: that it is no stranger to the account.
 * It opens nothing. Nothing of it is kept here either: it is sealed under the hash of the password, so another password
 * makes strangers of all.
 */

/** Name of the cookie. */
export const DEVICE_COOKIE = '__Host-scout-device';
/** How long browsers keep it: the most that they grant. */
export const DEVICE_KEPT_MS = 400 * 24 * 3_600_000;

/** A new one for a browser by which this person signed in. */
export function deviceOf(user: User): string {
  const nonce = randomBytes(16).toString('base64url');
  return `${nonce}.${sealOf(user, nonce)}`;
}

/** Whether it was made for this person, under the password that they have now. */
export function isDeviceOf(user: User, device: string): boolean {
  const [, nonce, seal] = /^([\w-]{22})\.([\w-]{43})$/.exec(device) ?? [];
  if (nonce === undefined || seal === undefined) return false;
  return timingSafeEqual(Buffer.from(seal), Buffer.from(sealOf(user, nonce)));
}

const sealOf = ({ id, passwordHash }: User, nonce: string): string =>
  createHmac('sha256', passwordHash).update(`scout-hub device\0${id}\0${nonce}`).digest('base64url');
