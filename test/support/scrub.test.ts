import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scrubber, scrubFields } from '../../src/support/scrub.ts';

describe('Scrubber', () => {
  it('leaves no form of any secret in any line', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, maxLength: 80, unit: 'binary' }), fc.string(), fc.string(), (secret, before, after) => {
        const bytes = Buffer.from(secret);
        const scrubber = new Scrubber(() => [secret]);
        for (const form of [secret, bytes.toString('hex'), encodeURIComponent(secret.toWellFormed())]) {
          expect(scrubber.clean(`${before}${form}`)).not.toContain(form);
        }
        const basic = Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]).toString('base64');
        expect(Buffer.from(scrubber.clean(basic).replaceAll(/\[.*?\]/g, ''), 'base64').includes(bytes)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('leaves a line without secrets as it is', () => {
    const line = '{"msg":"nothing here"}\n';
    expect(new Scrubber(() => ['0123456789abcdef']).clean(line)).toBe(line);
  });

  it('shows no fingerprint of a short secret, which could be guessed from it', () => {
    expect(new Scrubber(() => ['hunter2!']).clean('password hunter2!')).toBe('password [secret]');
  });
});

describe('scrubFields', () => {
  it('ends where things contain themselves', () => {
    const round: Record<string, unknown> = { a: 1 };
    round.self = round;
    expect(JSON.stringify(scrubFields(round)).length).toBeLessThan(200);
  });

  it('leaves the value it was given untouched', () => {
    const given = { token: 'abcdefgh', nested: { n: 1 } };
    expect(scrubFields(given)).toEqual({ token: '[removed]', nested: { n: 1 } });
    expect(given.token).toBe('abcdefgh');
  });
});
