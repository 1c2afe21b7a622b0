import { createHmac } from 'node:crypto';
import { readSecretFile, secretFile } from '../secret-file.ts';

/*
 * Signatures as Standard Webhooks has them (standardwebhooks.com, specification 1.0, "Signature scheme"): HMAC-SHA256
 * over `id.timestamp.body`, in base64, behind `v1,`; keys are written `whsec_` and base64 of 24 to 64 bytes.
 */

const PREFIX = 'whsec_';

/** Reads the key of a webhook. Throws HUB_SECRET_FILE. */
export function readWebhookSecret(path: string): Buffer {
  const text = readSecretFile(path).trim();
  const key = Buffer.from(text.slice(PREFIX.length), 'base64');
  const whole = /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text) && key.toString('base64') === text.slice(PREFIX.length);
  if (!whole) throw secretFile(path, 'it does not hold `whsec_` and base64');
  if (key.length < 24 || key.length > 64) throw secretFile(path, `its key has ${key.length} bytes; it must have 24 to 64`);
  return key;
}

/** The three headers of a webhook. `now`: ms since the epoch. */
export function signatureHeaders(key: Buffer, id: string, body: string, now: number): Record<string, string> {
  const timestamp = String(Math.floor(now / 1_000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
