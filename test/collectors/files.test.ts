import { appendFileSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Files, matcher } from '../../src/collectors/files.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'scout-files-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text?: string): string => {
  const path = join(folder, name);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};

describe('Files', () => {
  it('reads a file once a sample, and anew with the next', () => {
    const files = new Files();
    const path = file('once', 'a');
    files.next();
    expect(files.text(path)).toBe('a');
    appendFileSync(path, 'b');
    expect(files.text(path)).toBe('a');
    files.next();
    expect(files.text(path)).toBe('ab');
    files.close();
  });

  it('reads what is longer than its buffer', () => {
    const files = new Files();
    const text = 'x'.repeat(200_001);
    expect(files.text(file('long', text))).toBe(text);
    files.close();
  });

  it('looks for a missing file again only after a while', () => {
    const files = new Files();
    const path = file('later');
    files.next();
    expect(files.optional(path)).toBeUndefined();
    writeFileSync(path, 'here');
    for (let sample = 0; sample < 59; sample++) {
      files.next();
      expect(() => files.text(path)).toThrow('ENOENT');
    }
    files.next();
    expect(files.text(path)).toBe('here');
    files.close();
  });

  it('closes what nobody reads any more', () => {
    const files = new Files();
    const path = file('gone', 'one');
    files.next();
    expect(files.text(path)).toBe('one');
    unlinkSync(path);
    writeFileSync(path, 'two');
    files.next();
    expect(files.text(path), 'the descriptor is still that of the first').toBe('one');
    for (let sample = 0; sample < 130; sample++) files.next();
    expect(files.text(path)).toBe('two');
    files.close();
  });

  it('gives long files in pieces of whole lines, and says when it stopped early', () => {
    const files = new Files();
    const path = file('pieces', 'a line of some length\n'.repeat(10_000));
    const pieces: string[] = [];
    expect(files.pieces(path, 2 ** 20, (text) => pieces.push(text))).toBe(true);
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.every((text) => text.endsWith('\n'))).toBe(true);
    expect(pieces.join('')).toHaveLength(220_000);
    expect(files.pieces(path, 50_000, () => {})).toBe(false);
  });

  it('has nothing of a process that is gone', () => {
    expect(new Files().brief(file('never'))).toBeUndefined();
  });
});

describe('matcher', () => {
  it('takes * for any text and everything else as it stands', () => {
    const match = matcher(['veth*', 'eth0.1', '/mnt/*/data']);
    expect(['veth12', 'eth0.1', '/mnt/a/b/data'].every(match)).toBe(true);
    expect(['eth001', 'xveth', '/mnt/data'].some(match)).toBe(false);
    expect(matcher([])('')).toBe(false);
  });
});
