import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readToken, tokenText } from '../../src/protocol/enroll.ts';
import { hideKeysIn } from '../../src/support/hide.ts';

const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((made) => Buffer.from(made));
const tokens = fc.record({
  secret: bytes.map((made) => made.toString('base64url')),
  authority: fc.option(bytes.map((made) => made.toString('hex'))),
});

it('a token is read as it was written, white space around it and all, and is hidden as keys are', () => {
  fc.assert(
    fc.property(tokens, fc.constantFrom('', '\n', ' ', '\r\n'), (token, blank) => {
      const text = tokenText(token);
      expect(readToken(blank + text + blank)).toEqual(token);
      expect(hideKeysIn(`see ${text}`)).not.toContain(token.secret.slice(0, 20));
    }),
  );
});

it('a token that was cut, or is none, is none', () => {
  fc.assert(
    fc.property(tokens, fc.nat(), (token, at) => {
      const text = tokenText(token);
      const cut = at % text.length;
      // What is cut between its two parts is a token without an authority.
      fc.pre(cut !== 51);
      expect(readToken(text.slice(0, cut))).toBeUndefined();
      expect(readToken(`${text}x`)).toBeUndefined();
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => readToken(text) === undefined));
});
