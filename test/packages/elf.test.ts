import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { stripped } from '../../packaging/elf.ts';

describe.skipIf(process.platform !== 'linux')('a program without symbols', () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-elf-'));
  const path = join(folder, 'node');
  const original = readFileSync(process.execPath);
  writeFileSync(path, stripped(original));
  chmodSync(path, 0o755);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('runs, and is a fifth smaller', () => {
    expect(execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' })).toBe(`${process.versions.node}\n`);
    expect(statSync(path).size).toBeLessThan(original.length * 0.82);
  });

  it('checks, compresses and hashes as before', () => {
    const script = `const c = require('node:crypto'), z = require('node:zlib'), s = require('node:sqlite');
      const packed = z.zstdCompressSync(Buffer.alloc(1e5));
      const db = new s.DatabaseSync(':memory:');
      console.log(c.createHash('sha256').update(z.zstdDecompressSync(packed)).digest('hex'), db.prepare('select sqlite_version() v').get().v);`;
    const said = (node: string) => execFileSync(node, ['-e', script], { encoding: 'utf8' });
    expect(said(path)).toBe(said(process.execPath));
  });

  it('has nothing more that strip(1) would take', (context) => {
    if (spawnSync('which', ['strip']).status !== 0) context.skip('needs strip');
    execFileSync('strip', ['-o', `${path}.again`, path]);
    expect(statSync(`${path}.again`).size).toBe(statSync(path).size);
  });

  it('once is enough', () => expect(stripped(readFileSync(path)).equals(readFileSync(path))).toBe(true));

  it('refuses what is no such program', () => {
    expect(() => stripped(Buffer.from('#!/bin/sh\necho a script, and a longer one than a header is\n'.repeat(3)))).toThrow('no ELF');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 256 }), (bytes) => {
        bytes[0] = 0;
        expect(() => stripped(Buffer.from(bytes))).toThrow();
      }),
    );
  });
});
