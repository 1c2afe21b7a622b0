import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { mintId, openMint, sealMint } from '../../../src/hub/keys/mints.ts';
import { hashKey } from '../../../src/hub/servers.ts';

const newKey = () => randomBytes(32).toString('hex');

describe('a sealed mint', () => {
  const [key, old, idempotency] = [newKey(), newKey(), randomUUID()];
  const sealed = sealMint(key, old, idempotency);

  it('opens with the old key and the Idempotency-Key, and says nothing of any of them', () => {
    expect(openMint(sealed, old, idempotency)).toBe(key);
    expect(sealMint(key, old, idempotency)).not.toEqual(sealed);
    for (const part of [key, old, idempotency]) {
      expect(Buffer.from(sealed).includes(part)).toBe(false);
      expect(mintId(old, idempotency)).not.toContain(part.slice(0, 16));
    }
  });

  it('opens with nothing that the hub keeps, also for one who knows the Idempotency-Key', () => {
    const kept = [hashKey(old), hashKey(key), hashKey(old).slice(0, 12), mintId(old, idempotency), '', newKey()];
    for (const one of kept) for (const other of [idempotency, ...kept]) expect(() => openMint(sealed, one, other)).toThrow();
    for (const other of [...kept, randomUUID(), idempotency.toUpperCase()]) expect(() => openMint(sealed, old, other)).toThrow();
    // The border between the two is no matter of taste.
    expect(() => openMint(sealed, old.slice(0, -1), `${old.at(-1)}${idempotency}`)).toThrow();
  });

  it('does not open with any bit changed, cut or lengthened', () => {
    for (let at = 0; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed);
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      expect(() => openMint(changed, old, idempotency), `byte ${at}`).toThrow();
    }
    for (const cut of [0, 1, 15, 28, 43, sealed.length - 1]) expect(() => openMint(sealed.subarray(0, cut), old, idempotency)).toThrow();
    expect(() => openMint(Buffer.concat([sealed, Buffer.alloc(1)]), old, idempotency)).toThrow();
  });
});
