import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settingsOf, shapeAt, shapeOf } from '../../src/config/shape.ts';
import { type Binding, formFault, isSealed, SEALED_FIELDS, seal, unseal } from '../../src/secrets/envelope.ts';
import { sealingId } from '../../src/support/machine-id.ts';

/* The envelope by itself, quickly; every way in which a token can be wrong is tried by test/envelope. */

const binding = (hostKey = randomBytes(32)): Binding => ({ hostKey, machine: sealingId(randomBytes(16).toString('hex')) });
const here = binding();
const codeOf = (where: Binding, field: string, token: string) => {
  const opened = unseal(where, field, token);
  return opened.ok ? 'opened' : opened.code;
};
const secrets = fc.string({ unit: 'binary', maxLength: 200 }).map((text) => text.toWellFormed());
const fields = fc.constantFrom(...SEALED_FIELDS);

describe('a sealed value', () => {
  it('opens to the same text, for any text and field', () => {
    fc.assert(
      fc.property(secrets, fields, (text, field) => {
        expect(unseal(here, field, seal(here, field, text))).toEqual({ ok: true, text });
      }),
    );
  });

  it('is one word that needs no quotes and no escapes, and never the same twice', () => {
    fc.assert(
      fc.property(secrets, fields, (text, field) => {
        const [one, two] = [seal(here, field, text), seal(here, field, text)];
        expect(one).toMatch(/^enc:v1:hkdf:[0-9a-f]{8}:[0-9a-f]{8}:[A-Za-z0-9_-]{59,}$/);
        expect(isSealed(one)).toBe(true);
        expect(two).not.toBe(one);
      }),
    );
  });

  it('says which field a value was made for', () => {
    expect(unseal(here, 'proxy', seal(here, 'api.key', 'x'))).toMatchObject({ code: 'SEALED_FIELD', params: { other: 'api.key' } });
  });
});

describe('a changed token', () => {
  it('each bit of its bytes flipped, never opens', () => {
    const token = seal(here, 'api.key', 'k'.repeat(64));
    const head = token.slice(0, token.lastIndexOf(':') + 1);
    const body = Buffer.from(token.slice(head.length), 'base64url');
    for (let bit = 0; bit < body.length * 8; bit++) {
      const bytes = Buffer.from(body);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(codeOf(here, 'api.key', head + bytes.toString('base64url'))).toBe('SEALED_TAMPERED');
    }
  });

  it('cut anywhere, or with anything put in, never opens', () => {
    fc.assert(
      fc.property(secrets, fc.nat(), fc.nat(), fc.string({ unit: 'binary', maxLength: 5 }), (text, from, length, put) => {
        const token = seal(here, 'api.key', text);
        const at = from % (token.length + 1);
        const changed = token.slice(0, at) + put + token.slice(at + (length % 80));
        fc.pre(changed !== token);
        const opened = unseal(here, 'api.key', changed);
        expect(opened.ok).toBe(false);
        expect(JSON.stringify(opened)).not.toContain(token.slice(-20));
      }),
      { numRuns: 500 },
    );
  });

  it('mixed from two tokens never opens', () => {
    fc.assert(
      fc.property(secrets, secrets, fields, fc.nat(), (one, two, field, cut) => {
        const [a, b] = [seal(here, field, one), seal(here, field, two)];
        const at = 32 + (cut % (Math.min(a.length, b.length) - 32));
        const mixed = a.slice(0, at) + b.slice(at);
        fc.pre(mixed !== a && mixed !== b);
        expect(unseal(here, field, mixed).ok).toBe(false);
      }),
    );
  });

  it('has a form that can be judged without a key', () => {
    expect(formFault(seal(here, 'proxy', 'x'))).toBeUndefined();
    expect(formFault('enc:v1:a')).toMatchObject({ code: 'SEALED_MALFORMED' });
  });
});

it('the fields that may be sealed are the secrets of the schema', () => {
  const shape = shapeOf();
  const secret = settingsOf(shape).flatMap((setting) => (setting.secret ? [setting.name] : []));
  const key = shapeAt(shape, ['destinations', 0, 'key']);
  expect(key?.kind === 'leaf' && key.setting.secret).toBe(true);
  expect(new Set(SEALED_FIELDS)).toEqual(new Set([...secret, 'destinations[].key']));
});
