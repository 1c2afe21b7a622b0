import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { thumbprint } from '../../src/credentials/private-key.ts';
import type { Values } from '../../src/credentials/values.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { freshKey } from '../config/scratch.ts';
import { freshRsa } from '../credentials/scratch-keys.ts';
import { Home, key } from './home.ts';

const root = process.getuid?.() === 0;
const OTHER_USER = 1234;

let home: Home;
beforeEach(() => {
  home = new Home();
});

/** Has `cp`, which every replacement calls once its copy is written, do something first: an editor at the worst moment. */
function duringReplace<T>(script: string, work: () => T): T {
  const { PATH } = process.env;
  const once = path.join(home.root, 'once');
  home.aside('bin/cp', `#!/bin/sh\nPATH='${PATH}'\n[ -e '${once}' ] || { touch '${once}'; ${script}; }\nexec cp "$@"\n`, 0o755);
  try {
    process.env.PATH = `${path.join(home.root, 'bin')}:${PATH}`;
    return work();
  } finally {
    process.env.PATH = PATH;
  }
}

/** The code of what is thrown, with all files as they were. */
function refusedCode(work: () => unknown): string {
  const state = () =>
    readdirSync(home.folder, { recursive: true, encoding: 'utf8' }).map((name) => [name, stamp(path.join(home.folder, name))]);
  const before = state();
  try {
    work();
  } catch (error) {
    expect(state()).toEqual(before);
    return error instanceof ScoutError ? error.code : String(error);
  }
  return 'done';
}

function stamp(full: string): string {
  const { ino, size, mode, mtimeNs } = statSync(full, { bigint: true });
  return statSync(full).isFile() ? `${ino} ${size} ${mode} ${mtimeNs} ${readFileSync(full, 'latin1')}` : '';
}

describe('an API key', () => {
  it('is read opened, replaced where it stands, and read again', () => {
    const [old, now] = [freshKey(), freshKey()];
    home.file('a.yml', `# top\napi:\n  key: "${old}" # here\ninterval: 5s\n`);
    const files = home.configured();
    expect(files.read()).toEqual(key(old));
    files.check(['api.key']);
    expect(files.isSealed()).toBe(false);
    expect(files.replace(key(old), key(now))).toBe('done');
    expect(home.text('a.yml')).toBe(`# top\napi:\n  key: "${now}" # here\ninterval: 5s\n`);
    expect(files.read()).toEqual(key(now));
    expect(readdirSync(home.folder)).toEqual(['a.yml']);
  });

  it('sealed stays sealed', () => {
    const [old, now] = [freshKey(), freshKey()];
    const token = home.seal('api.key', old);
    home.file('a.env', `SCOUT_API_KEY=${token}\n`);
    const files = home.configured('a.env');
    expect(files.isSealed()).toBe(true);
    files.check(['api.key']);
    expect(files.replace(key(old), key(now))).toBe('done');
    const written = home.text('a.env').slice('SCOUT_API_KEY='.length, -1);
    expect(written).toMatch(/^enc:v1:/);
    expect(written).not.toBe(token);
    expect(home.open('api.key', written)).toBe(now);
  });

  it.each(['plain', 'sealed'])('%s in a file of its own', (form) => {
    const [old, now] = [freshKey(), freshKey()];
    home.file('a.toml', 'api.key_file = "key"\n');
    home.file('key', form === 'plain' ? `${old}\r\n` : `${home.seal('api.key', old)}\n`);
    const files = home.configured('a.toml');
    files.check(['api.key']);
    expect(files.replace(key(old), key(now))).toBe('done');
    if (form === 'plain') expect(home.text('key')).toBe(`${now}\r\n`);
    else expect([home.open('api.key', home.text('key').slice(0, -1)), home.text('key').at(-1)]).toEqual([now, '\n']);
    expect(home.text('a.toml')).toBe('api.key_file = "key"\n');
  });

  it('that is another by now is left alone', () => {
    const [old, operators] = [freshKey(), freshKey()];
    home.file('a.yml', `api:\n  key: ${operators}\n`);
    expect(refusedCode(() => expect(home.configured().replace(key(old), key(freshKey()))).toBe('overtaken'))).toBe('done');
    expect(home.text('a.yml')).toBe(`api:\n  key: ${operators}\n`);
  });

  it('changed when its file was', () => {
    home.file('a.yml', 'api:\n  key_file: key\n');
    utimesSync(home.file('key', freshKey()), 1_700_000_000, 1_700_000_000);
    expect(home.configured().changedAt()).toBe(1_700_000_000_000);
  });
});

describe('an editor who comes between reading and replacing', () => {
  it.each(['in place', 'by another file'])('changes another line %s: that line stays, and the key is replaced', (how) => {
    const [old, now] = [freshKey(), freshKey()];
    const config = home.file('a.yml', `interval: 10s\napi:\n  key: ${old}\n`);
    const copy = `cp '${config}' '${config}.new' && sed -i 's/10s/20s/' '${config}.new'`;
    const script =
      how === 'in place'
        ? `sed 's/10s/20s/' '${config}' > '${config}.new' && cat '${config}.new' > '${config}' && rm '${config}.new'`
        : `${copy} && mv '${config}.new' '${config}'`;
    expect(duringReplace(script, () => home.configured().replace(key(old), key(now)))).toBe('done');
    expect(home.text('a.yml')).toBe(`interval: 20s\napi:\n  key: ${now}\n`);
    expect(readdirSync(home.folder)).toEqual(['a.yml']);
  });

  it('changes the key: theirs stays', () => {
    const [old, operators] = [freshKey(), freshKey()];
    const config = home.file('a.yml', `api:\n  key: ${old}\n`);
    const theirs = home.aside('theirs', `api:\n  key: ${operators}\n`);
    expect(duringReplace(`cat '${theirs}' > '${config}'`, () => home.configured().replace(key(old), key(freshKey())))).toBe('overtaken');
    expect(home.text('a.yml')).toBe(`api:\n  key: ${operators}\n`);
    expect(readdirSync(home.folder)).toEqual(['a.yml']);
  });

  it('keeps time and size of the file: noticed by what it holds', () => {
    const [old, operators] = [freshKey(), freshKey()];
    const config = home.file('a.yml', `api:\n  key: ${old}\n`);
    utimesSync(config, 1_700_000_000, 1_700_000_000);
    const theirs = home.aside('theirs', `api:\n  key: ${operators}\n`);
    const script = `cat '${theirs}' > '${config}'; touch -d @1700000000 '${config}'`;
    expect(duringReplace(script, () => home.configured().replace(key(old), key(freshKey())))).toBe('overtaken');
    expect(home.text('a.yml')).toBe(`api:\n  key: ${operators}\n`);
  });
});

describe('a key pair of an organisation', () => {
  const rsa = () => {
    const made = freshRsa();
    return { ...made, kid: thumbprint(made.privateKey).toString('base64url') };
  };
  const [one, two] = [rsa(), rsa()];
  const values = ({ text: privateKey, kid }: typeof one, id: string, withKid = true): Values => ({
    'api.private_key': privateKey,
    'api.credential_id': id,
    ...(withKid && { 'api.kid': kid }),
  });
  const NAMES = ['api.private_key', 'api.credential_id', 'api.kid'];

  it('inline, with id and kid in the same file: replaced at once', () => {
    const config = home.file('a.yml', `api:\n  credential_id: first # id\n  private_key: ${one.text}\n  kid: '${one.kid}'\n`);
    const files = home.configured();
    expect(files.read()).toEqual(values(one, 'first'));
    files.check(NAMES);
    const { ino } = statSync(config);
    expect(files.replace(values(one, 'first'), values(two, 'second'))).toBe('done');
    expect(home.text('a.yml')).toBe(`api:\n  credential_id: second # id\n  private_key: ${two.text}\n  kid: '${two.kid}'\n`);
    expect(statSync(config).ino).not.toBe(ino);
  });

  it('sealed inline: the private key alone is sealed', () => {
    home.file('a.toml', `[api]\ncredential_id = "first"\nprivate_key = "${home.seal('api.private_key', one.text)}"\n`);
    const files = home.configured('a.toml');
    expect(files.replace(values(one, 'first', false), values(two, 'second', false))).toBe('done');
    const token = /private_key = "(.*)"/.exec(home.text('a.toml'))?.[1] ?? '';
    expect(home.open('api.private_key', token)).toBe(two.text);
    expect(home.text('a.toml')).toBe(`[api]\ncredential_id = "second"\nprivate_key = "${token}"\n`);
  });

  it('PEM in a file of its own stays PEM, sealed or not', () => {
    home.file('a.yml', 'api:\n  credential_id: first\n  private_key_file: key.pem\n');
    home.file('key.pem', one.pem);
    const files = home.configured();
    const names = ['api.private_key'];
    files.check(names);
    expect(files.replace(values(one, 'first', false), values(two, 'first', false))).toBe('done');
    expect(home.text('key.pem')).toBe(two.pem);

    home.file('key.pem', home.seal('api.private_key', two.pem));
    files.check(names);
    expect(files.replace(values(two, 'first', false), values(one, 'first', false))).toBe('done');
    expect(files.read()).toEqual(values(one, 'first', false));
  });

  it('whose parts stand in different files is not touched', () => {
    home.file('a.yml', `api:\n  credential_id: first\n  kid: ${one.kid}\n  private_key_file: key.pem\n`);
    home.file('key.pem', one.pem);
    expect(refusedCode(() => home.configured().check(NAMES))).toBe('ROTATE_PLACES');
    expect(refusedCode(() => home.configured().replace(values(one, 'first'), values(two, 'second')))).toBe('ROTATE_PLACES');
    home.file('conf.d/kid.yml', `api:\n  private_key: ${one.text}\n`);
    home.file('a.yml', `api:\n  credential_id: first\n  kid: ${one.kid}\n`);
    expect(refusedCode(() => home.configured().replace(values(one, 'first'), values(two, 'second')))).toBe('ROTATE_PLACES');
  });

  it('a kid that is new and stands nowhere is refused before anything', () => {
    home.file('a.yml', `api:\n  credential_id: first\n  private_key: ${one.text}\n`);
    expect(refusedCode(() => home.configured().check(NAMES))).toBe('EDIT_REFUSED');
  });
});

describe('what could not be replaced is known before anything is done', () => {
  const code = (name = 'a.yml', env: NodeJS.ProcessEnv = {}) => refusedCode(() => home.configured(name, env).check(['api.key']));

  it('a variable of the environment', () => {
    home.file('a.yml', `api:\n  key: ${freshKey()}\n`);
    expect(code('a.yml', { SCOUT_API_KEY: freshKey() })).toBe('EDIT_REFUSED');
  });

  it('a credential of systemd, in the configuration and in a file', () => {
    const env = { CREDENTIALS_DIRECTORY: path.dirname(home.aside('credentials/key', freshKey())) };
    home.file('a.yml', 'api:\n  key: systemd-cred:key\n');
    expect(home.configured('a.yml', env).read()['api.key']).toHaveLength(64);
    expect(code('a.yml', env)).toBe('EDIT_REFUSED');
    home.file('b.yml', 'api:\n  key_file: key\n');
    home.file('key', 'systemd-cred:key\n');
    expect(code('b.yml', env)).toBe('EDIT_REFUSED');
  });

  it('an alias, and an anchor that another value refers to', () => {
    home.file('a.yml', `host_name: &k ${freshKey()}\napi:\n  key: *k\n`);
    expect(code()).toBe('EDIT_REFUSED');
    home.file('a.yml', `api:\n  key: &k ${freshKey()}\nhost_name: *k\n`);
    expect(code()).toBe('EDIT_REFUSED');
  });

  it('a file that never changes (chattr +i), which shows only when it is to be replaced', () => {
    const file = home.file('a.yml', `api:\n  key: ${freshKey()}\n`);
    // Root alone may set it, and not on every file system.
    if (spawnSync('chattr', ['+i', file]).status !== 0) return;
    try {
      expect(code()).toBe('EDIT_REFUSED');
    } finally {
      spawnSync('chattr', ['-i', file]);
    }
  });

  it('a file with another name', () => {
    linkSync(home.file('a.yml', `api:\n  key: ${freshKey()}\n`), path.join(home.folder, 'b.yml'));
    expect(code()).toBe('EDIT_REFUSED');
  });

  it('no key at all, and a file that cannot be read', () => {
    home.file('a.yml', 'interval: 5s\n');
    expect(code()).toBe('EDIT_REFUSED');
    home.file('a.yml', 'api: [\n');
    expect(code()).toBe('CONFIG_SYNTAX');
  });

  const asOtherUser = <T>(work: () => T): T => {
    process.setegid?.(OTHER_USER);
    process.seteuid?.(OTHER_USER);
    try {
      return work();
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
  };

  it.skipIf(!root)('a folder in which this user may not write (needs root)', () => {
    for (const one of [home.root, home.folder]) chmodSync(one, 0o755);
    chownSync(home.file('a.yml', `api:\n  key: ${freshKey()}\n`), OTHER_USER, OTHER_USER);
    expect(asOtherUser(() => code())).toBe('FILE_UNWRITABLE');
    chownSync(home.folder, OTHER_USER, OTHER_USER);
    expect(asOtherUser(() => code())).toBe('done');
  });

  it.skipIf(!root)('a file of somebody else, whose owner could not be kept (needs root)', () => {
    chmodSync(home.root, 0o755);
    chownSync(home.folder, OTHER_USER, OTHER_USER);
    home.file('a.yml', `api:\n  key: ${home.seal('api.key', freshKey())}\n`, 0o644);
    expect(asOtherUser(() => code())).toBe('EDIT_REFUSED');
  });

  it.skipIf(!root)('a file that is mounted by itself (needs root)', () => {
    const config = home.file('a file.yml', `api:\n  key: ${freshKey()}\n`);
    const work = `import { ConfiguredFiles } from '${new URL('../../src/rotation/configured.ts', import.meta.url)}';
      try { new ConfiguredFiles(${JSON.stringify(home.options('a file.yml'))}).check(['api.key']); console.log('done') }
      catch (error) { console.log(error.code, error.message) }`;
    const run = `mount --bind "$1" "$1" && exec "$2" --input-type=module -e "$3"`;
    const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', run, 'sh', config, process.execPath, work], { encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toMatch(/^EDIT_REFUSED .*mounted by itself/);
  });
});
