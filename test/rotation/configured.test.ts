import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ResolveOptions } from '../../src/config/resolve.ts';
import { thumbprint } from '../../src/credentials/private-key.ts';
import type { Values } from '../../src/credentials/values.ts';
import { ConfiguredFiles } from '../../src/rotation/configured.ts';
import { openSecret } from '../../src/secrets/open.ts';
import { sealHere } from '../../src/secrets/seal.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { freshKey, Scratch } from '../config/scratch.ts';
import { freshRsa } from '../credentials/scratch-keys.ts';

const root = process.getuid?.() === 0;
const CHILD = fileURLToPath(new URL('replace-child.ts', import.meta.url));
const OTHER_USER = 1234;

let scratch: Scratch;
/** The folder of the configuration alone; host key and machine id lie elsewhere. */
let folder: string;

beforeEach(() => {
  scratch = new Scratch();
  scratch.file('machine/etc/machine-id', randomBytes(16).toString('hex'));
  folder = path.join(scratch.root, 'home');
  mkdirSync(folder);
});

const file = (name: string, text: string, mode = 0o600) => scratch.file(`home/${name}`, text, mode);
const text = (name: string) => readFileSync(path.join(folder, name), 'utf8');
const options = (name: string, env: NodeJS.ProcessEnv = {}): ResolveOptions => ({
  file: path.join(folder, name),
  env: { SCOUT_HOST_KEY_FILE: path.join(scratch.root, 'host.key'), ...env },
  uid: 0,
  root: path.join(scratch.root, 'machine'),
});
const configured = (name = 'a.yml', env: NodeJS.ProcessEnv = {}) => new ConfiguredFiles(options(name, env));

function seal(field: string, plain: string): string {
  const sealed = sealHere(field, plain, options('a.yml'));
  if ('fault' in sealed) throw ScoutError.of(sealed.fault);
  return sealed.token;
}

function open(field: string, token: string): string {
  const opened = openSecret({ label: field, field, text: token }, options('a.yml'));
  if (!opened.ok) throw ScoutError.of(opened.problem);
  return opened.value;
}

const key = (one: string): Values => ({ 'api.key': one });

/** Has `cp`, which every replacement calls once its copy is written, do something first: an editor at the worst moment. */
function duringReplace<T>(script: string, work: () => T): T {
  const { PATH } = process.env;
  const once = path.join(scratch.root, 'once');
  scratch.file('bin/cp', `#!/bin/sh\nPATH='${PATH}'\n[ -e '${once}' ] || { touch '${once}'; ${script}; }\nexec cp "$@"\n`, 0o755);
  try {
    process.env.PATH = `${path.join(scratch.root, 'bin')}:${PATH}`;
    return work();
  } finally {
    process.env.PATH = PATH;
  }
}

/** The code of what is thrown, with all files as they were. */
function refusedCode(work: () => unknown): string {
  const state = () => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => [name, stamp(path.join(folder, name))]);
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
    file('a.yml', `# top\napi:\n  key: "${old}" # here\ninterval: 5s\n`);
    const files = configured();
    expect(files.read()).toEqual(key(old));
    files.check(['api.key']);
    expect(files.isSealed()).toBe(false);
    expect(files.replace(key(old), key(now))).toBe('done');
    expect(text('a.yml')).toBe(`# top\napi:\n  key: "${now}" # here\ninterval: 5s\n`);
    expect(files.read()).toEqual(key(now));
    expect(readdirSync(folder)).toEqual(['a.yml']);
  });

  it('sealed stays sealed', () => {
    const [old, now] = [freshKey(), freshKey()];
    const token = seal('api.key', old);
    file('a.env', `SCOUT_API_KEY=${token}\n`);
    const files = configured('a.env');
    expect(files.isSealed()).toBe(true);
    files.check(['api.key']);
    expect(files.replace(key(old), key(now))).toBe('done');
    const written = text('a.env').slice('SCOUT_API_KEY='.length, -1);
    expect(written).toMatch(/^enc:v1:/);
    expect(written).not.toBe(token);
    expect(open('api.key', written)).toBe(now);
  });

  it.each(['plain', 'sealed'])('%s in a file of its own', (form) => {
    const [old, now] = [freshKey(), freshKey()];
    file('a.toml', 'api.key_file = "key"\n');
    file('key', form === 'plain' ? `${old}\r\n` : `${seal('api.key', old)}\n`);
    const files = configured('a.toml');
    files.check(['api.key']);
    expect(files.replace(key(old), key(now))).toBe('done');
    if (form === 'plain') expect(text('key')).toBe(`${now}\r\n`);
    else expect([open('api.key', text('key').slice(0, -1)), text('key').at(-1)]).toEqual([now, '\n']);
    expect(text('a.toml')).toBe('api.key_file = "key"\n');
  });

  it('that is another by now is left alone', () => {
    const [old, operators] = [freshKey(), freshKey()];
    file('a.yml', `api:\n  key: ${operators}\n`);
    expect(refusedCode(() => expect(configured().replace(key(old), key(freshKey()))).toBe('overtaken'))).toBe('done');
    expect(text('a.yml')).toBe(`api:\n  key: ${operators}\n`);
  });

  it('changed when its file was', () => {
    file('a.yml', 'api:\n  key_file: key\n');
    utimesSync(file('key', freshKey()), 1_700_000_000, 1_700_000_000);
    expect(configured().changedAt()).toBe(1_700_000_000_000);
  });
});

describe('an editor who comes between reading and replacing', () => {
  it.each(['in place', 'by another file'])('changes another line %s: that line stays, and the key is replaced', (how) => {
    const [old, now] = [freshKey(), freshKey()];
    const config = file('a.yml', `interval: 10s\napi:\n  key: ${old}\n`);
    const copy = `cp '${config}' '${config}.new' && sed -i 's/10s/20s/' '${config}.new'`;
    const script =
      how === 'in place'
        ? `sed 's/10s/20s/' '${config}' > '${config}.new' && cat '${config}.new' > '${config}' && rm '${config}.new'`
        : `${copy} && mv '${config}.new' '${config}'`;
    expect(duringReplace(script, () => configured().replace(key(old), key(now)))).toBe('done');
    expect(text('a.yml')).toBe(`interval: 20s\napi:\n  key: ${now}\n`);
    expect(readdirSync(folder)).toEqual(['a.yml']);
  });

  it('changes the key: theirs stays', () => {
    const [old, operators] = [freshKey(), freshKey()];
    const config = file('a.yml', `api:\n  key: ${old}\n`);
    const theirs = scratch.file('theirs', `api:\n  key: ${operators}\n`);
    expect(duringReplace(`cat '${theirs}' > '${config}'`, () => configured().replace(key(old), key(freshKey())))).toBe('overtaken');
    expect(text('a.yml')).toBe(`api:\n  key: ${operators}\n`);
    expect(readdirSync(folder)).toEqual(['a.yml']);
  });

  it('keeps time and size of the file: noticed by what it holds', () => {
    const [old, operators] = [freshKey(), freshKey()];
    const config = file('a.yml', `api:\n  key: ${old}\n`);
    utimesSync(config, 1_700_000_000, 1_700_000_000);
    const theirs = scratch.file('theirs', `api:\n  key: ${operators}\n`);
    const script = `cat '${theirs}' > '${config}'; touch -d @1700000000 '${config}'`;
    expect(duringReplace(script, () => configured().replace(key(old), key(freshKey())))).toBe('overtaken');
    expect(text('a.yml')).toBe(`api:\n  key: ${operators}\n`);
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
    const config = file('a.yml', `api:\n  credential_id: first # id\n  private_key: ${one.text}\n  kid: '${one.kid}'\n`);
    const files = configured();
    expect(files.read()).toEqual(values(one, 'first'));
    files.check(NAMES);
    const { ino } = statSync(config);
    expect(files.replace(values(one, 'first'), values(two, 'second'))).toBe('done');
    expect(text('a.yml')).toBe(`api:\n  credential_id: second # id\n  private_key: ${two.text}\n  kid: '${two.kid}'\n`);
    expect(statSync(config).ino).not.toBe(ino);
  });

  it('sealed inline: the private key alone is sealed', () => {
    file('a.toml', `[api]\ncredential_id = "first"\nprivate_key = "${seal('api.private_key', one.text)}"\n`);
    const files = configured('a.toml');
    expect(files.replace(values(one, 'first', false), values(two, 'second', false))).toBe('done');
    const token = /private_key = "(.*)"/.exec(text('a.toml'))?.[1] ?? '';
    expect(open('api.private_key', token)).toBe(two.text);
    expect(text('a.toml')).toBe(`[api]\ncredential_id = "second"\nprivate_key = "${token}"\n`);
  });

  it('PEM in a file of its own stays PEM, sealed or not', () => {
    file('a.yml', 'api:\n  credential_id: first\n  private_key_file: key.pem\n');
    file('key.pem', one.pem);
    const files = configured();
    const names = ['api.private_key'];
    files.check(names);
    expect(files.replace(values(one, 'first', false), values(two, 'first', false))).toBe('done');
    expect(text('key.pem')).toBe(two.pem);

    file('key.pem', seal('api.private_key', two.pem));
    files.check(names);
    expect(files.replace(values(two, 'first', false), values(one, 'first', false))).toBe('done');
    expect(files.read()).toEqual(values(one, 'first', false));
  });

  it('whose parts stand in different files is not touched', () => {
    file('a.yml', `api:\n  credential_id: first\n  kid: ${one.kid}\n  private_key_file: key.pem\n`);
    file('key.pem', one.pem);
    expect(refusedCode(() => configured().check(NAMES))).toBe('ROTATE_PLACES');
    expect(refusedCode(() => configured().replace(values(one, 'first'), values(two, 'second')))).toBe('ROTATE_PLACES');
    file('conf.d/kid.yml', `api:\n  private_key: ${one.text}\n`);
    file('a.yml', `api:\n  credential_id: first\n  kid: ${one.kid}\n`);
    expect(refusedCode(() => configured().replace(values(one, 'first'), values(two, 'second')))).toBe('ROTATE_PLACES');
  });

  it('a kid that is new and stands nowhere is refused before anything', () => {
    file('a.yml', `api:\n  credential_id: first\n  private_key: ${one.text}\n`);
    expect(refusedCode(() => configured().check(NAMES))).toBe('EDIT_REFUSED');
  });
});

describe('what could not be replaced is known before anything is done', () => {
  const code = (name = 'a.yml', env: NodeJS.ProcessEnv = {}) => refusedCode(() => configured(name, env).check(['api.key']));

  it('a variable of the environment', () => {
    file('a.yml', `api:\n  key: ${freshKey()}\n`);
    expect(code('a.yml', { SCOUT_API_KEY: freshKey() })).toBe('EDIT_REFUSED');
  });

  it('a credential of systemd, in the configuration and in a file', () => {
    const env = { CREDENTIALS_DIRECTORY: path.dirname(scratch.file('credentials/key', freshKey())) };
    file('a.yml', 'api:\n  key: systemd-cred:key\n');
    expect(configured('a.yml', env).read()['api.key']).toHaveLength(64);
    expect(code('a.yml', env)).toBe('EDIT_REFUSED');
    file('b.yml', 'api:\n  key_file: key\n');
    file('key', 'systemd-cred:key\n');
    expect(code('b.yml', env)).toBe('EDIT_REFUSED');
  });

  it('an alias, and an anchor that another value refers to', () => {
    file('a.yml', `host_name: &k ${freshKey()}\napi:\n  key: *k\n`);
    expect(code()).toBe('EDIT_REFUSED');
    file('a.yml', `api:\n  key: &k ${freshKey()}\nhost_name: *k\n`);
    expect(code()).toBe('EDIT_REFUSED');
  });

  it('a file with another name', () => {
    linkSync(file('a.yml', `api:\n  key: ${freshKey()}\n`), path.join(folder, 'b.yml'));
    expect(code()).toBe('EDIT_REFUSED');
  });

  it('no key at all, and a file that cannot be read', () => {
    file('a.yml', 'interval: 5s\n');
    expect(code()).toBe('EDIT_REFUSED');
    file('a.yml', 'api: [\n');
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
    for (const one of [scratch.root, folder]) chmodSync(one, 0o755);
    chownSync(file('a.yml', `api:\n  key: ${freshKey()}\n`), OTHER_USER, OTHER_USER);
    expect(asOtherUser(() => code())).toBe('FILE_UNWRITABLE');
    chownSync(folder, OTHER_USER, OTHER_USER);
    expect(asOtherUser(() => code())).toBe('done');
  });

  it.skipIf(!root)('a file of somebody else, whose owner could not be kept (needs root)', () => {
    chmodSync(scratch.root, 0o755);
    chownSync(folder, OTHER_USER, OTHER_USER);
    file('a.yml', `api:\n  key: ${seal('api.key', freshKey())}\n`, 0o644);
    expect(asOtherUser(() => code())).toBe('EDIT_REFUSED');
  });

  it.skipIf(!root)('a file that is mounted by itself (needs root)', () => {
    const config = file('a file.yml', `api:\n  key: ${freshKey()}\n`);
    const work = `import { ConfiguredFiles } from '${new URL('../../src/rotation/configured.ts', import.meta.url)}';
      try { new ConfiguredFiles(${JSON.stringify(options('a file.yml'))}).check(['api.key']); console.log('done') }
      catch (error) { console.log(error.code, error.message) }`;
    const run = `mount --bind "$1" "$1" && exec "$2" --input-type=module -e "$3"`;
    const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', run, 'sh', config, process.execPath, work], { encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toMatch(/^EDIT_REFUSED .*mounted by itself/);
  });
});

describe('a process that is killed in the middle of it', () => {
  const CALLS = ['openat', 'write', 'fsync', 'fchmod', 'fchown', 'rename', 'unlink', 'vfork', 'clone', 'clone3'];
  const strace = spawnSync('strace', ['-V']).status === 0;

  /** Replaces in a process of its own under strace(1); its main thread does all the work. */
  function traced(args: string[], input: unknown): string | null {
    const all = ['-qq', '-e', 'signal=none', '-e', `trace=${CALLS.join(',')}`, ...args, process.execPath, CHILD];
    return spawnSync('strace', all, { encoding: 'utf8', input: JSON.stringify(input) }).stdout;
  }

  it.skipIf(!strace)(
    'leaves the old credential or the new one, whole, and the next one goes on (needs strace)',
    { timeout: 180_000 },
    () => {
      const pair = (): Values => {
        const { text: privateKey, privateKey: made } = freshRsa();
        const kid = thumbprint(made).toString('base64url');
        return { 'api.private_key': privateKey, 'api.credential_id': randomBytes(8).toString('hex'), 'api.kid': kid };
      };
      const [one, two] = [pair(), pair()];
      const write = (values: Values) => {
        rmSync(folder, { recursive: true });
        const lines = Object.entries(values).map(([name, value]) => `  ${name.slice(4)}: ${value}\n`);
        return file('a.yml', `api:\n${lines.join('')}interval: 5s\n`, 0o640);
      };
      const input = { options: options('a.yml'), expected: one, values: two };

      write(one);
      const log = path.join(scratch.root, 'trace');
      expect(traced(['-y', '-o', log], input)).toBe('done');
      const goal = text('a.yml');
      // strace counts the calls of each name by themselves.
      const seen: Record<string, number> = {};
      const points = readFileSync(log, 'latin1')
        .split('\n')
        .flatMap((line) => {
          const name = /^\w+(?=\()/.exec(line)?.[0];
          if (!name) return [];
          seen[name] = (seen[name] ?? 0) + 1;
          const touches = line.includes(folder) && !line.includes('O_RDONLY');
          return touches || /^(vfork|clone3?)\(/.test(line) ? [{ name, when: seen[name] }] : [];
        });
      expect(points.map(({ name }) => name)).toEqual(expect.arrayContaining(['openat', 'write', 'fsync', 'rename']));

      const outcomes = new Set<string>();
      for (const { name, when } of points) {
        write(one);
        const start = text('a.yml');
        expect(traced(['-o', '/dev/null', '-e', `inject=${name}:signal=KILL:when=${when}`], input)).toBe('');
        const now = text('a.yml');
        outcomes.add(now === start ? 'old' : now === goal ? 'new' : `torn at ${name} ${when}`);
        expect(statSync(path.join(folder, 'a.yml')).mode & 0o777).toBe(0o640);
        // A copy that is left holds the key as well: closed as the file is.
        for (const left of readdirSync(folder)) expect(statSync(path.join(folder, left)).mode & 0o037).toBe(0);
        expect(configured().read()).toEqual(now === start ? one : two);
        const [from, to] = now === start ? [one, two] : [two, one];
        expect(configured().replace(from, to)).toBe('done');
      }
      expect([...outcomes].sort()).toEqual(['new', 'old']);
    },
  );

  it('a copy that it left is taken away by the next one, once it is old', () => {
    const [old, now] = [freshKey(), freshKey()];
    file('a.yml', `api:\n  key: ${old}\n`);
    const mine = file('.a.yml.0123456789ab', 'left');
    file('.a.yml.swp', 'an editor’s');
    expect(configured().replace(key(old), key(now))).toBe('done');
    // Too young: another process may be about to use it.
    expect(existsSync(mine)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['.a.yml.0123456789ab', '.a.yml.swp', 'a.yml']);

    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(configured().replace(key(now), key(old))).toBe('done');
    expect(readdirSync(folder).sort()).toEqual(['.a.yml.swp', 'a.yml']);
  });
});
