import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { tar } from '../../../src/cli/bundle/tar.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'scout-tar-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('is read by tar, whatever the files hold', () => {
  const names = fc.uniqueArray(fc.string({ unit: fc.constantFrom(...'abc019_'), minLength: 1, maxLength: 90 }), {
    maxLength: 5,
    minLength: 1,
  });
  fc.assert(
    fc.property(names, fc.array(fc.uint8Array({ maxLength: 1_600 }), { minLength: 5, maxLength: 5 }), (given, contents) => {
      const into = mkdtempSync(join(folder, 'x-'));
      const archive = join(into, '0.tar');
      writeFileSync(
        archive,
        tar(
          given.map((name, index) => ({ name: `f/${name}`, content: Buffer.from(contents[index] as Uint8Array) })),
          1_700_000_000_000,
        ),
      );
      execFileSync('tar', ['-xf', archive, '-C', into]);
      expect(readdirSync(join(into, 'f')).sort()).toEqual(given.toSorted());
      for (const [index, name] of given.entries())
        expect(readFileSync(join(into, 'f', name)).equals(Buffer.from(contents[index] as Uint8Array))).toBe(true);
      expect(statSync(join(into, 'f', given[0] as string))).toMatchObject({ mtimeMs: 1_700_000_000_000, mode: 0o100600 });
    }),
    { numRuns: 20 },
  );
});

it('refuses a name that does not fit', () => {
  for (const name of ['', 'x'.repeat(101), 'with space', 'ü'])
    expect(() => tar([{ name, content: Buffer.alloc(0) }], 0)).toThrow(RangeError);
});
