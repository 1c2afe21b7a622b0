import { randomBytes, webcrypto } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readWebhookSecret, signatureHeaders } from '../../../src/hub/notices/signature.ts';
import { tempFolder } from '../helpers.ts';

let folder: ReturnType<typeof tempFolder>;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => folder.remove());

function secret(text: string, mode = 0o600): string {
  const path = join(folder.path, 'secret');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

describe('the signature of a webhook', () => {
  it('is one that other code finds right, over id, time and body', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ minLength: 1 }),
        fc.string({ unit: 'binary' }),
        fc.integer({ min: 0, max: 4e12 }),
        async (id, body, now) => {
          const key = randomBytes(32);
          const headers = signatureHeaders(key, id, body, now);
          expect(headers).toMatchObject({ 'webhook-id': id, 'webhook-timestamp': String(Math.floor(now / 1_000)) });
          const [version, signature] = headers['webhook-signature']!.split(',');
          expect(version).toBe('v1');
          const imported = await webcrypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
          const signed = Buffer.from(`${id}.${headers['webhook-timestamp']}.${body}`);
          expect(await webcrypto.subtle.verify('HMAC', imported, Buffer.from(signature!, 'base64'), signed)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('the secret of a webhook', () => {
  it('is read as Standard Webhooks writes it', () => {
    for (const size of [24, 32, 64]) {
      const key = randomBytes(size);
      expect(readWebhookSecret(secret(`whsec_${key.toString('base64')}\n`)).equals(key)).toBe(true);
    }
  });

  it.each([
    ['nothing', ''],
    ['base64 alone', randomBytes(32).toString('base64')],
    ['too short', `whsec_${randomBytes(23).toString('base64')}`],
    ['too long', `whsec_${randomBytes(65).toString('base64')}`],
    ['no base64', `whsec_${'!'.repeat(44)}`],
    ['two lines', `whsec_${randomBytes(24).toString('base64')}\nwhsec_${randomBytes(24).toString('base64')}`],
  ])('is refused, and not shown: %s', (_, text) => {
    let caught: unknown;
    try {
      readWebhookSecret(secret(text));
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ code: 'HUB_SECRET_FILE' });
    const shown = text.replace(/^whsec_/, '').slice(0, 12);
    if (shown !== '') expect(JSON.stringify([String(caught), caught])).not.toContain(shown);
  });

  it('is refused where others can read it, or nobody', () => {
    const text = `whsec_${randomBytes(32).toString('base64')}`;
    expect(() => readWebhookSecret(secret(text, 0o604))).toThrow(expect.objectContaining({ code: 'HUB_SECRET_FILE' }));
    expect(() => readWebhookSecret(join(folder.path, 'none'))).toThrow(expect.objectContaining({ code: 'HUB_SECRET_FILE' }));
  });
});
