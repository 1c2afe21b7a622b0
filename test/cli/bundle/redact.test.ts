import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../../src/cli/bundle/redact.ts';
import { Needles } from '../../leak/needles.ts';

const clean = (secrets: (string | Buffer)[], text: string | Buffer) =>
  new Redactor(secrets.map((one) => Buffer.from(one))).clean(Buffer.from(text));

/** Ways in which a text may hold a secret. */
const SPELLINGS: ((secret: Buffer) => string)[] = [
  (secret) => secret.toString('utf8'),
  (secret) => secret.toString('utf8').toUpperCase(),
  (secret) => secret.toString('hex'),
  (secret) => secret.toString('hex').toUpperCase(),
  (secret) => secret.toString('base64'),
  (secret) => secret.toString('base64url'),
  (secret) => Buffer.from(`me:${secret}`).toString('base64'),
  (secret) => Buffer.from(`x${secret}yz`).toString('base64url'),
  (secret) => encodeURIComponent(secret.toString('utf8')),
  (secret) => JSON.stringify({ key: secret.toString('utf8') }),
  (secret) => JSON.stringify(JSON.stringify({ key: secret.toString('utf8') })),
];

const secretOf = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  fc.uint8Array({ minLength: 24, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.string({ unit: fc.constantFrom(...'abcXYZ019/+=-_.~!@$%^&*() ü'), minLength: 16, maxLength: 80 }),
);
const around = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replaceAll('\0', ''));

describe('the redactor', () => {
  it('leaves no piece of a known secret, however it is spelt, cut and wrapped', () => {
    fc.assert(
      fc.property(
        secretOf.filter((secret) => new Set(secret).size > 5),
        fc.constantFrom(...SPELLINGS),
        around,
        around,
        fc.nat(20),
        fc.nat(20),
        (secret, spell, before, after, from, to) => {
          const needles = new Needles();
          needles.add('api key', 'known', secret);
          const spelt = spell(Buffer.from(secret));
          const part = spelt.slice(from, Math.max(from + 16, spelt.length - to));
          const { text } = clean([secret], `${before}${part}${after}\nkey=${part}\n`);
          expect(needles.search(Buffer.from(text))).toEqual([]);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('gives a text without secrets back as it is', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            'the agent started',
            '{"a": 1}',
            '2026-01-02T03:04:05.000Z',
            'fingerprint 0123456789ab',
            '/var/lib/scout-agent/outbox.db: 17 heartbeats',
            'api.key: ********',
          ),
        ),
        (lines) => {
          const text = lines.join('\n');
          expect(clean([randomBytes(32).toString('hex')], text)).toEqual({ text, known: 0, patterns: 0 });
        },
      ),
    );
  });

  it('takes out what only looks like a secret', () => {
    const hex = randomBytes(32).toString('hex');
    const base64 = `${randomBytes(90).toString('base64')}/ab`;
    const opaque = `T0ken.${randomBytes(9).toString('base64url')}`;
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const token = `enc:v1:hkdf:01234567:89abcdef:${randomBytes(60).toString('base64url')}`;
    const jwt = [1, 2, 3].map((n) => (n < 3 ? Buffer.from('{"alg":"none"}') : randomBytes(32)).toString('base64url')).join('.');
    const texts: [string, string][] = [
      [hex, hex],
      [hex, `path /x/${hex}/y`],
      [base64, base64],
      [opaque, `X-API-Key: ${opaque}`],
      [opaque, `{"authorization":"Bearer ${opaque}"}`],
      [opaque, `curl -H 'Authorization: Bearer ${opaque}' x`],
      [opaque, `AGENT_KEY=${opaque}`],
      [opaque, `export SCOUT_API_KEY="${opaque}"`],
      [opaque, `Environment=A=1 "B=${opaque}"`],
      [opaque, `{"api_key": "${opaque}", "a": 1}`],
      [opaque, `\\"password\\": \\"${opaque}\\"`],
      [opaque, `https://me:${opaque}@proxy:3128/`],
      [token, `key: ${token}`],
      [token.slice(2), `key: ${token.slice(2)}`],
      [pem, `before\n${pem}after`],
      [pem, `cut ${pem.slice(0, 60)}`],
      [jwt, `it sent ${jwt}, and`],
    ];
    for (const [secret, text] of texts) {
      const needles = new Needles();
      needles.add('api key', 'unknown', secret.replace(/-----[^-]+-----/g, '').trim());
      const found = clean([], text);
      expect(needles.search(Buffer.from(found.text)), text).toEqual([]);
      expect(found.patterns, text).toBeGreaterThan(0);
    }
  });

  it('knows a private key by its secret numbers, in PEM, DER and JWK', () => {
    const needles = new Needles();
    const { pem } = needles.privateKey('known');
    const key = createPrivateKey(pem);
    const der = key.export({ type: 'pkcs8', format: 'der' });
    for (const given of [pem, der.toString('base64url'), der.toString('base64')])
      for (const text of [
        pem,
        pem.split('\n').slice(4, 7).join('\n'),
        der.toString('base64'),
        der.toString('hex'),
        JSON.stringify(key.export({ format: 'jwk' })),
        JSON.stringify({ d: key.export({ format: 'jwk' }).d?.slice(10, 40) }),
      ])
        expect(needles.search(Buffer.from(clean([given], text).text)), text.slice(0, 40)).toEqual([]);
  });

  it('takes a private key out that nobody knows, quoted, beside one that is known, and without its first lines', () => {
    const make = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const known = make();
    for (let turn = 0; turn < 4; turn++) {
      const pem = make();
      const needles = new Needles();
      needles.addPrivateKey('unknown', pem);
      const lines = pem.trim().split('\n');
      for (const start of ['', '   > ', '\t| ', 'Nov 21 host: '])
        for (const from of [0, 1, 5]) {
          const text = `before\n${lines
            .slice(from)
            .map((line) => start + line)
            .join('\n')}\nafter it\n`;
          const found = clean([known], text).text;
          if (from === 0 || start !== 'Nov 21 host: ') expect([start, from, needles.search(Buffer.from(found))]).toEqual([start, from, []]);
          expect(found).toContain('before');
          expect(found).toContain('after it');
        }
    }
  });

  it('keeps JSON what it is', () => {
    const secret = randomBytes(32).toString('hex');
    const { text } = clean(
      [secret],
      JSON.stringify({ list: [`Bearer ${secret}`, secret, 1], token: 'abcdefghij', url: `https://a:${secret}@b` }),
    );
    expect(JSON.parse(text)).toEqual({ list: ['Bearer [redacted]', '[redacted]', 1], token: '[redacted]', url: 'https://[redacted]@b' });
  });

  it('finds a short password whole', () => {
    expect(clean(['hunter2'], 'it is HUNTER2, or hunter2')).toMatchObject({ text: 'it is [redacted], or [redacted]', known: 2 });
  });

  it('gives nothing back of what is no text', () => {
    expect(() => clean([], Buffer.from('abc', 'utf16le'))).toThrow('no text');
  });

  it('takes a long line of anything in its stride', () => {
    const started = process.cpuUsage().user;
    for (const unit of ['a/', 'aaaaaaaaaaaaaaaaaaaa', 'password', '://a', 'ey', '-----BEGIN', 'enc:', ' ', 'é"\\'])
      clean([randomBytes(32)], unit.repeat(Math.ceil(200_000 / unit.length)));
    expect((process.cpuUsage().user - started) / 1e6).toBeLessThan(20);
  });
});
