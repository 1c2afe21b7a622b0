import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EMPTY_KEYRING, type Keyring } from '../../src/credentials/keyring.ts';
import { isAuditLine, keyringText, parseKeyring, readKeyring, writeKeyring } from '../../src/credentials/keyring-file.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { keptKey, keyrings } from './keyrings.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'scout-keyring-'));
  path = join(folder, 'keyring.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const parse = (text: string) => parseKeyring('keyring.json', text);

/** What a text comes to: the same keyring, or damaged; anything else fails the test. */
function equalOrDamaged(text: string, keyring: Keyring): void {
  try {
    expect(parse(text)).toEqual(keyring);
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    expect(error.code).toBe('KEYRING_DAMAGED');
  }
}

/** Asserts damage; what stood in the text is not shown. */
function damaged(text: string): ScoutError {
  try {
    parse(text);
  } catch (error) {
    expect(error).toMatchObject({ code: 'KEYRING_DAMAGED' });
    return error as ScoutError;
  }
  throw new Error('it was taken');
}

describe('a keyring as text', () => {
  it('is the same when it is read, members in their order', () => {
    fc.assert(
      fc.property(keyrings, (keyring) => {
        expect(JSON.stringify(parse(keyringText(keyring)))).toBe(JSON.stringify(keyring));
      }),
    );
  });

  it('is damaged wherever it was cut', () => {
    const text = keyringText({ ...EMPTY_KEYRING, current: keptKey(), quarantine: [{ ...keptKey(), reason: 'r' }] });
    for (let length = 0; length < text.length - 1; length++) damaged(text.slice(0, length));
  });

  it('is damaged, or the same, whichever bit of it was turned', () => {
    fc.assert(
      fc.property(keyrings, fc.nat(), fc.nat(7), (keyring, at, bit) => {
        const bytes = Buffer.from(keyringText(keyring));
        const place = at % bytes.length;
        bytes[place] = (bytes[place] as number) ^ (1 << bit);
        equalOrDamaged(bytes.toString('utf8'), keyring);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is damaged when any bit of a plain key was turned', () => {
    const key = keptKey();
    const text = keyringText({ ...EMPTY_KEYRING, current: key });
    const start = text.indexOf(key.values['api.key'] as string);
    for (let bit = 0; bit < 64 * 8; bit++) {
      const bytes = Buffer.from(text);
      const place = start + (bit >> 3);
      bytes[place] = (bytes[place] as number) ^ (1 << (bit & 7));
      damaged(bytes.toString('utf8'));
    }
  });

  it('is damaged, and never anything else, whatever the text is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        damaged(text);
      }),
    );
  });

  it.each([
    ['another version', { v: 2 }],
    ['no slots', { current: undefined }],
    ['a slot of another kind', { next: [] }],
    ['an unknown member', { more: 1 }],
    ['a state that there is none of', { rotation: { state: 'GONE' } }],
    ['a setting that is no key, for root to write into its configuration', { next: keptKey({ values: { 'api.endpoint': 'https://x' } }) }],
    ['a quarantine without reasons', { quarantine: [keptKey()] }],
    ['a time that is none', { current: keptKey({ since: 'yesterday' }) }],
    ['a fingerprint that is none', { current: keptKey({ fingerprint: 'XYZ' }) }],
    ['values of another setting', { current: keptKey({ values: { 'log.level': 'debug' } }) }],
    ['a member of every object', { __proto__: null, constructor: {} }],
  ])('is damaged by %s', (_, more) => {
    damaged(JSON.stringify({ ...EMPTY_KEYRING, ...more }));
  });

  it('shows nothing of what stood there', () => {
    const key = keptKey();
    const secret = key.values['api.key'] as string;
    for (const text of [
      secret,
      `{"${secret}": 1}`,
      JSON.stringify({ ...EMPTY_KEYRING, [secret]: 1 }),
      JSON.stringify({ ...EMPTY_KEYRING, v: secret }),
      JSON.stringify({ ...EMPTY_KEYRING, current: { ...key, [secret]: secret } }),
      JSON.stringify({ ...EMPTY_KEYRING, current: { ...key, since: secret } }),
      JSON.stringify({ ...EMPTY_KEYRING, current: key, checksum: secret }),
    ]) {
      const error = damaged(text);
      expect(`${error.stack}${JSON.stringify(error)}`).not.toContain(secret);
    }
  });

  it('may have been written by hand, without a checksum', () => {
    expect(parse(JSON.stringify(EMPTY_KEYRING))).toEqual(EMPTY_KEYRING);
  });
});

describe('a keyring on disk', () => {
  it('is empty where there is none, and its own copy each time', () => {
    readKeyring(path).quarantine.push({ ...keptKey(), reason: 'r' });
    expect(readKeyring(path)).toEqual(EMPTY_KEYRING);
    expect(EMPTY_KEYRING.quarantine).toEqual([]);
  });

  it('is replaced in one step, for its owner alone, and leaves nothing beside it', () => {
    const keyring = { ...EMPTY_KEYRING, current: keptKey() };
    const before = process.umask(0);
    try {
      writeKeyring(path, EMPTY_KEYRING);
      writeKeyring(path, keyring);
    } finally {
      process.umask(before);
    }
    expect(readKeyring(path)).toEqual(keyring);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['keyring.json']);
  });

  it.skipIf(process.getuid?.() !== 0)("is the folder's owner's when root writes it", () => {
    chownSync(folder, 12_345, 23_456);
    writeKeyring(path, EMPTY_KEYRING);
    expect(statSync(path)).toMatchObject({ uid: 12_345, gid: 23_456 });
    chownSync(folder, 0, 0);
    writeKeyring(path, EMPTY_KEYRING);
    expect(statSync(path)).toMatchObject({ uid: 0, gid: 0 });
  });

  it('says what cannot be read and what cannot be written', () => {
    mkdirSync(path);
    expect(() => readKeyring(path)).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
    expect(() => writeKeyring(path, EMPTY_KEYRING)).toThrow(expect.objectContaining({ code: 'FILE_UNWRITABLE' }));
    expect(() => writeKeyring(join(folder, 'none/keyring.json'), EMPTY_KEYRING)).toThrow(
      expect.objectContaining({ code: 'FILE_UNWRITABLE' }),
    );
    expect(readdirSync(folder)).toEqual(['keyring.json']);
  });

  it('is damaged when it was overwritten with anything', () => {
    writeFileSync(path, randomBytes(300));
    expect(() => readKeyring(path)).toThrow(expect.objectContaining({ code: 'KEYRING_DAMAGED' }));
    expect(readFileSync(path)).toHaveLength(300);
  });
});

it('knows a line of the audit log by its shape', () => {
  fc.assert(
    fc.property(keyrings, ({ audit }) => {
      expect(isAuditLine(audit)).toBe(audit !== null);
      if (audit) expect(isAuditLine({ ...audit, seq: `${audit.seq}` })).toBe(false);
    }),
  );
});
