import { createPrivateKey, type KeyObject } from 'node:crypto';

/**
 * Every spelling in which a secret may stand in a text: as it is, escaped, hexadecimal, base64 at any offset. Of hexadecimal
 * text and of private keys also the bytes behind it.
 */
export function formsOfSecret(secret: Buffer): Set<string> {
  const forms = new Set<string>();
  for (const bytes of [secret, ...behind(secret)]) for (const form of spellings(bytes)) forms.add(form);
  return forms;
}

function spellings(bytes: Buffer): string[] {
  const text = bytes.toString('utf8');
  const hex = bytes.toString('hex');
  const forms = [hex];
  if (Buffer.from(text).equals(bytes)) {
    const url = encodeURIComponent(text);
    forms.push(
      ...text.split(/\r?\n/),
      ...JSON.stringify(text)
        .slice(1, -1)
        .split(/\\[rn]/),
      url,
    );
  }
  for (const before of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(before), bytes]);
    const base64 = shifted.toString('base64').replace(/=+$/, '');
    // Those characters alone that the secret decides; its neighbours share those at its edges.
    const core = base64.slice(Math.ceil((before * 4) / 3), shifted.length % 3 === 0 ? base64.length : -1);
    forms.push(core, core.replaceAll('+', '-').replaceAll('/', '_'));
  }
  // The frame of a PEM is that of every PEM.
  return forms.filter((form) => !form.startsWith('-----'));
}

function behind(secret: Buffer): Buffer[] {
  const text = secret.toString('utf8').trim();
  const found: Buffer[] = [];
  if (/^(?:[0-9a-f]{2}){8,}$/i.test(text)) found.push(Buffer.from(text, 'hex'));
  const key = privateKey(text);
  if (!key) return found;
  found.push(key.export({ format: 'der', type: 'pkcs8' }));
  const jwk = key.export({ format: 'jwk' }) as Record<string, string | undefined>;
  for (const number of ['d', 'p', 'q', 'dp', 'dq', 'qi']) if (jwk[number]) found.push(Buffer.from(jwk[number], 'base64url'));
  return found;
}

function privateKey(text: string): KeyObject | undefined {
  try {
    if (text.includes('-----BEGIN')) return createPrivateKey(text);
    return /^[\w+/=\s-]{200,}$/.test(text)
      ? createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' })
      : undefined;
  } catch {
    return undefined;
  }
}
