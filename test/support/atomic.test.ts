import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeAtomically } from '../../src/support/atomic.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'atomic-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('writeAtomically', () => {
  it('replaces the content and sets the mode, whatever the umask', () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'old', { mode: 0o600 });
    const umask = process.umask(0o077);
    try {
      writeAtomically(path, 'new', 0o644);
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('leaves nothing behind when it fails', () => {
    mkdirSync(join(folder, 'taken', 'full'), { recursive: true });
    expect(() => writeAtomically(join(folder, 'taken'), 'x')).toThrow();
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  it('is private unless told otherwise', () => {
    chmodSync(folder, 0o755);
    writeAtomically(join(folder, 'key'), new Uint8Array([1, 2]));
    expect(statSync(join(folder, 'key')).mode & 0o777).toBe(0o600);
  });
});
