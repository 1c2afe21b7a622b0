import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DICTIONARY, DICTIONARY_ID } from '../../src/protocol/dictionary.ts';
import { pack, unpack } from '../../src/protocol/frame.ts';

describe('dictionary for heartbeats', () => {
  // Frames in outboxes and in hubs name it: another dictionary needs another id, and this one stays beside it.
  it('is the one that has its id', () => {
    expect({ id: DICTIONARY_ID, sha256: createHash('sha256').update(DICTIONARY).digest('hex') }).toMatchInlineSnapshot(`
      {
        "id": 40001,
        "sha256": "8e7486138109769eb3de2674cf4f157aa2fa361f7535e04aeff19cff3b4b7931",
      }
    `);
  });

  it('is named in its own header and in that of each frame', () => {
    expect(Buffer.from(DICTIONARY).readUInt32LE(0)).toBe(0xec30a437);
    expect(Buffer.from(DICTIONARY).readUInt32LE(4)).toBe(DICTIONARY_ID);
    const frame = Buffer.from(pack('{}'));
    expect(frame.readUInt32LE(0)).toBe(0xfd2fb528);
    expect(frame.readUInt16LE(5)).toBe(DICTIONARY_ID);
  });

  it('gives back any line, alone, joined with others, and beside frames without it', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 }), (texts) => {
        const frames = texts.map((text, index) => (index % 2 ? zstdCompressSync(`${text}\n`) : pack(text)));
        expect(unpack(Buffer.concat(frames)).toString()).toBe(texts.map((text) => `${Buffer.from(text)}\n`).join(''));
      }),
    );
  });

  it('says so when a frame is damaged', () => {
    const frame = Buffer.from(pack(JSON.stringify({ text: 'something to damage', numbers: [1, 2, 3] })));
    frame[frame.length - 6] = (frame[frame.length - 6] as number) ^ 0x10;
    expect(() => unpack(frame)).toThrow();
  });
});
