import { spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editText, valueAt } from '../../src/config/edit/edit.ts';
import { readOriginal, replaceOriginal } from '../../src/config/edit/replace.ts';
import { applyEdits, planEdits } from '../../src/config/edit/target.ts';
import { type Made, made, placeIn, secret } from './generate.ts';
import { freshKey, Scratch } from './scratch.ts';

const TOKEN = 'enc:v1:hkdf:0123abcd:4567cdef:Zm9vYmFy-_x';

function holds(format: 'env' | 'yaml' | 'toml', made: Made): void {
  const place = placeIn(made);
  const text = made.before + made.raw + made.after;
  expect(valueAt(format, text, place)).toBe(made.value);
  expect(editText(format, text, { ...place, to: TOKEN })).toEqual({ ok: true, text: made.before + made.wanted(TOKEN) + made.after });
}

const runs = { numRuns: Number(process.env.EDIT_RUNS ?? 400) };

describe('one value replaced, and nothing else', () => {
  it.each(['env', 'yaml', 'toml'] as const)('in %s', (format) => {
    fc.assert(
      fc.property(made[format](secret, 'anything'), (one) => holds(format, one)),
      runs,
    );
  });

  it('without quotes where there were none, for ids and keys of every service', () => {
    for (const to of [freshKey(), randomUUID(), randomBytes(64).toString('base64url')]) {
      const edited = editText('env', 'SCOUT_CREDENTIAL_ID=old\n', { line: 1, column: 21, to });
      expect(edited).toEqual({ ok: true, text: `SCOUT_CREDENTIAL_ID=${to}\n` });
    }
    const to = '3c9a8669-187b-4588-9dae-945fe308d1e2';
    expect(editText('yaml', 'a: old # c\n', { line: 1, column: 4, to })).toEqual({ ok: true, text: `a: ${to} # c\n` });
  });

  it('whatever the new value is: it reads back as it was meant, or is refused', () => {
    const texts = {
      env: ['SCOUT_API_KEY=', 'old', '\n'],
      yaml: ['api:\n  key: ', 'old', ' # c\n'],
      toml: ['api.key = ', '"old"', '\n'],
    } as const;
    fc.assert(
      fc.property(fc.constantFrom('env', 'yaml', 'toml'), fc.string({ unit: 'binary', maxLength: 40 }), (format, to) => {
        const [before, raw, after] = texts[format as keyof typeof texts];
        const place = placeIn({ before });
        const edited = editText(format as 'env', before + raw + after, { ...place, to });
        if (edited.ok) expect(valueAt(format as 'env', edited.text, place)).toBe(to);
        else expect(/^[!-~]+$/.test(to)).toBe(false);
      }),
      runs,
    );
  });
});

describe('what cannot be changed by itself is refused', () => {
  const refused = (format: 'env' | 'yaml' | 'toml', text: string, line: number, column: number) => {
    const edited = editText(format, text, { line, column, to: TOKEN });
    return edited.ok ? 'edited' : edited.detail;
  };
  it.each([
    ['an anchor that another value refers to', 'yaml', 'api:\n  key: &k old\nproxy: *k\n', 2, 11],
    ['an alias', 'yaml', 'x: &k old\napi:\n  key: *k\n', 3, 8],
    ['a map that stands under two names', 'yaml', 'x: &m\n  key: old\napi: *m\n', 2, 8],
  ] as const)('%s', (_, format, text, line, column) => expect(refused(format, text, line, column)).toMatch(/anchor or alias/));

  it('an anchor alone is no hindrance', () => expect(refused('yaml', 'api:\n  key: &k old\n', 2, 11)).toBe('edited'));
  it('a map, a number of TOML, a place with nothing', () => {
    expect(refused('yaml', 'api:\n  key: old\n', 1, 1)).not.toBe('edited');
    expect(refused('toml', 'api.key = 12\n', 1, 11)).not.toBe('edited');
    expect(refused('env', 'A=b\n', 1, 1)).not.toBe('edited');
  });
  it('a file that has faults already', () => {
    expect(refused('toml', 'a = \napi.key = "x"\n', 2, 11)).toMatch(/faults/);
    expect(refused('env', 'A=b\nB="open\n', 1, 3)).toMatch(/faults/);
  });
  it('a setting of the environment, a list in an environment file, one that is not set', () => {
    const scratch = new Scratch();
    const file = scratch.file(
      'a.env',
      'SCOUT_API_ENDPOINT=https://a\nSCOUT_DESTINATIONS=[{"name":"a","type":"otlp","endpoint":"https://b","key":"abcdefghij"}]\n',
    );
    const plan =
      (field: string, env = {}) =>
      () =>
        planEdits({ file, env, uid: 0 }, field);
    expect(plan('api.key', { SCOUT_API_KEY: freshKey() })).toThrow(/variable SCOUT_API_KEY/);
    expect(plan('destinations[0].key')).toThrow(/JSON in SCOUT_DESTINATIONS/);
    expect(plan('proxy')).toThrow(/not set/);
    expect(() => planEdits({ file: `${file}x`, env: {}, uid: 0 }, 'proxy')).toThrow(/does not exist/);
  });
});

const replace = (file: string, from: string, to: string) => {
  const original = readOriginal(file);
  replaceOriginal(original, original.text.replace(from, to), (detail) => new Error(detail));
};

describe('a replaced file', () => {
  const root = process.getuid?.() === 0;

  it.each([0o600, 0o640, 0o660, 0o400, 0o644])('keeps mode %o, byte order mark and line ends, and leaves nothing beside it', (mode) => {
    const scratch = new Scratch();
    const file = scratch.file('a.yml', '\ufeffapi:\r\n  key: old\r\n');
    chmodSync(file, mode);
    replace(file, 'old', 'new');
    expect(readFileSync(file, 'utf8')).toBe('\ufeffapi:\r\n  key: new\r\n');
    expect(statSync(file).mode & 0o7777).toBe(mode);
    expect(readdirSync(scratch.root)).toEqual(['a.yml']);
  });

  it.skipIf(!root)('keeps owner and group (needs root)', () => {
    const file = new Scratch().file('a.yml', 'key: old\n');
    chownSync(file, 1234, 2345);
    replace(file, 'old', 'new');
    expect([statSync(file).uid, statSync(file).gid]).toEqual([1234, 2345]);
  });

  it('keeps extended attributes', () => {
    const file = new Scratch().file('a.yml', 'key: old\n');
    const python = (code: string) => spawnSync('python3', ['-c', `import os,sys\nf=sys.argv[1]\n${code}`, file], { encoding: 'utf8' });
    expect(python("os.setxattr(f, 'user.scout', b'\\x00kept')").stderr).toBe('');
    replace(file, 'old', 'new');
    expect(python("print(os.getxattr(f, 'user.scout'), os.listxattr(f))").stdout).toContain("b'\\x00kept' ['user.scout']");
    expect(readFileSync(file, 'utf8')).toBe('key: new\n');
  });

  it('is the one behind symbolic links, which stay', () => {
    const scratch = new Scratch();
    const file = scratch.file('real/a.yml', 'key: old\n');
    symlinkSync('real/a.yml', path.join(scratch.root, 'one'));
    symlinkSync('one', path.join(scratch.root, 'two'));
    replace(path.join(scratch.root, 'two'), 'old', 'new');
    expect(readFileSync(file, 'utf8')).toBe('key: new\n');
    expect(lstatSync(path.join(scratch.root, 'two')).isSymbolicLink()).toBe(true);
    expect(readlinkSync(path.join(scratch.root, 'one'))).toBe('real/a.yml');
  });

  it('is refused, and the old one stands, where it has another name', () => {
    const scratch = new Scratch();
    const file = scratch.file('a.yml', 'key: old\n');
    linkSync(file, path.join(scratch.root, 'b.yml'));
    expect(() => replace(file, 'old', 'new')).toThrow(/2 hard links/);
    expect(readFileSync(file, 'utf8')).toBe('key: old\n');
    expect(readdirSync(scratch.root).sort()).toEqual(['a.yml', 'b.yml']);
  });

  it('is refused where its attributes cannot be copied', () => {
    const scratch = new Scratch();
    const file = scratch.file('a.yml', 'key: old\n');
    const PATH = process.env.PATH;
    scratch.file('bin/cp', '#!/bin/sh\necho "cp: setting attributes: Operation not supported" >&2\nexit 1\n', 0o755);
    try {
      process.env.PATH = path.join(scratch.root, 'bin');
      expect(() => replace(file, 'old', 'new')).toThrow(/attributes could not be kept \(cp: setting/);
    } finally {
      process.env.PATH = PATH;
    }
    expect(readFileSync(file, 'utf8')).toBe('key: old\n');
    expect(readdirSync(scratch.root).sort()).toEqual(['a.yml', 'bin']);
  });

  it('is never one that somebody else changed in the meantime', () => {
    const file = new Scratch().file('a.yml', 'api:\n  key: abcdefgh\n');
    const [plan] = planEdits({ file, env: {}, uid: 0 }, 'api.key');
    writeFileSync(file, 'api:\n  key: operators\n');
    const target = plan?.targets[0];
    expect(() => plan && target && applyEdits(plan, [{ ...target, to: TOKEN }])).toThrow(expect.objectContaining({ code: 'EDIT_RACE' }));
    expect(readFileSync(file, 'utf8')).toBe('api:\n  key: operators\n');
  });

  it('is not written where the folder is gone', () => {
    const scratch = new Scratch();
    const file = scratch.file('sub/a.yml', 'key: old\n');
    const original = readOriginal(file);
    rmSync(path.dirname(file), { recursive: true });
    mkdirSync(path.dirname(file));
    expect(() => replaceOriginal(original, 'x', (detail) => new Error(detail))).toThrow();
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });
});

describe('a plan', () => {
  it('finds each secret where it stands: the file, conf.d, a file of its own', () => {
    const scratch = new Scratch();
    const file = scratch.file('a.yml', 'api:\n  key_file: key\nproxy: http://u:p@h:1\n');
    scratch.file('key', `${freshKey()}\r\n`);
    scratch.file('conf.d/b.toml', 'proxy = "http://u:p@i:1"\n');
    const options = { file, env: {}, uid: 0 };
    for (const plan of planEdits(options))
      applyEdits(
        plan,
        plan.targets.map((target) => ({ ...target, to: TOKEN })),
      );
    expect(readFileSync(path.join(scratch.root, 'key'), 'utf8')).toBe(`${TOKEN}\r\n`);
    expect(readFileSync(path.join(scratch.root, 'conf.d/b.toml'), 'utf8')).toBe(`proxy = "${TOKEN}"\n`);
    // Overlaid by conf.d, so it is not in force.
    expect(readFileSync(file, 'utf8')).toContain('http://u:p@h:1');
  });

  it('changes several values of one file in one step', () => {
    const file = new Scratch().file('a.toml', 'proxy = "http://u:p@i:1"\n[api]\nkey = "abcdefgh" # k\n[tls]\nkey_passphrase = \'p\'\n');
    const [plan] = planEdits({ file, env: {}, uid: 0 });
    if (plan)
      applyEdits(
        plan,
        plan.targets.map((target) => ({ ...target, to: TOKEN })),
      );
    expect(readFileSync(file, 'utf8')).toBe(`proxy = "${TOKEN}"\n[api]\nkey = "${TOKEN}" # k\n[tls]\nkey_passphrase = '${TOKEN}'\n`);
  });
});
