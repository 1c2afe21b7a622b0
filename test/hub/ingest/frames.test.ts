import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { framesOf } from '../../../src/hub/ingest/frames.ts';

describe('framesOf', () => {
  it('finds the border of every frame, whatever its size, level and checksum', () => {
    const part = fc.record({
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 600 }),
        fc
          .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 300_000 }))
          .map(([byte, count]) => new Uint8Array(count).fill(byte)),
        fc.uint8Array({ minLength: 100, maxLength: 100 }).map((seed) => Buffer.concat(Array<Uint8Array>(1_400).fill(seed))),
      ),
      level: fc.integer({ min: 1, max: 6 }),
      checksum: fc.boolean(),
      sized: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const packed = parts.map(({ bytes, level, checksum, sized }) =>
          zstdCompressSync(bytes, {
            params: {
              [constants.ZSTD_c_compressionLevel]: level,
              [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
              [constants.ZSTD_c_contentSizeFlag]: sized ? 1 : 0,
            },
          }),
        );
        const joined = Buffer.concat(packed);
        const frames = framesOf(joined);
        expect(frames?.map(({ start, end }) => end - start)).toEqual(packed.map((one) => one.length));
        for (const [index, frame] of (frames ?? []).entries()) {
          const { bytes } = parts[index] as { bytes: Uint8Array };
          if (frame.contentSize !== undefined) expect(frame.contentSize).toBe(bytes.length);
          expect(zstdDecompressSync(joined.subarray(frame.start, frame.end)).equals(bytes)).toBe(true);
        }
      }),
      { numRuns: 80 },
    );
  });

  it('says what Node itself writes: the size of the content', () => {
    for (const size of [1, 255, 256, 65_791, 65_792, 400_000]) {
      expect(framesOf(zstdCompressSync(Buffer.alloc(size, 'x')))?.[0]?.contentSize).toBe(size);
    }
  });

  it('passes skippable frames over', () => {
    const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const frame = zstdCompressSync(Buffer.from('x'));
    expect(framesOf(Buffer.concat([skippable, frame, skippable]))).toMatchObject([{ start: 11, end: 11 + frame.length }]);
  });

  it('is undefined for a cut or foreign end, and never reads beyond', () => {
    const whole = Buffer.concat([zstdCompressSync(Buffer.from('hello')), zstdCompressSync(Buffer.from('hello'))]);
    const half = whole.length / 2;
    for (let length = 1; length < whole.length; length++) {
      if (length !== half) expect(framesOf(whole.subarray(0, length))).toBeUndefined();
    }
    expect(framesOf(Buffer.concat([whole, Buffer.from('trailing bytes')]))).toBeUndefined();
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void framesOf(Buffer.from(bytes))));
    const edited = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(edited, ([at, byte]) => {
        const copy = Buffer.from(whole);
        copy[at] = byte;
        for (const frame of framesOf(copy) ?? []) expect(frame.end).toBeLessThanOrEqual(copy.length);
      }),
    );
  });
});
