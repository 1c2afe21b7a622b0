import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import { seal } from '../../src/secrets/envelope.ts';
import { ensureHostKey, findHostKey, readHostKey, type Where } from '../../src/secrets/host-key.ts';
import { sealingMachine } from '../../src/secrets/machine.ts';
import { knownMachines, noteMachine, recordOf } from '../../src/secrets/machines.ts';
import { openSecret } from '../../src/secrets/open.ts';
import { Rewrapper } from '../../src/secrets/rewrap.ts';
import { sealHere } from '../../src/secrets/seal.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { AGENT, run } from '../helpers/programs.ts';

let root: string;
let file: string;
let where: Where;
const machineId = (text = randomBytes(16).toString('hex')) => writeFileSync(path.join(root, 'etc/machine-id'), `${text}\n`);
const open = (text: string, field = 'api.key') => openSecret({ label: 'KEY', field, text }, where);
const codeOf = (text: string, field?: string) => {
  const opened = open(text, field);
  return opened.ok ? 'opened' : opened.problem.code;
};
const token = (text = 'canary', field = 'api.key') => {
  const made = sealHere(field, text, where);
  if ('fault' in made) throw ScoutError.of(made.fault);
  return made.token;
};

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'scout-host-key-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(path.join(root, 'etc'));
  machineId();
  file = path.join(root, 'etc/scout-agent/host.key');
  where = { env: {}, uid: 0, root };
});

describe('the host key', () => {
  it('is made once, 32 bytes for its owner alone, and nothing is left beside it', () => {
    expect(ensureHostKey(where, {})).toMatchObject({ file, made: true });
    const key = readFileSync(file);
    expect([key.length, statSync(file).mode & 0o777]).toEqual([32, 0o400]);
    expect(ensureHostKey(where, {})).toEqual({ file, key, made: false });
    expect(readdirSync(path.dirname(file))).toEqual(['host.key']);
  });

  it('is one and the same for commands that race to make it', async () => {
    const env = { ...process.env, SCOUT_HOST_KEY_FILE: path.join(root, 'race/host.key') };
    const racers = await Promise.all(Array.from({ length: 8 }, () => run(AGENT, ['encrypt-value'], { input: 'canary\n', env })));
    expect(racers.map(({ status }) => status)).toEqual(Array(8).fill(0));
    expect(racers.filter(({ stderr }) => stderr.includes('made the host key'))).toHaveLength(1);
    const here = { env: { SCOUT_HOST_KEY_FILE: env.SCOUT_HOST_KEY_FILE }, uid: 0 };
    for (const { stdout } of racers)
      expect(openSecret({ label: 'k', field: 'api.key', text: stdout.trim() }, here)).toMatchObject({ ok: true, value: 'canary' });
    expect(readdirSync(path.join(root, 'race')).sort()).toEqual(['host.key', 'host.machines']);
  });

  it('is not made beside the record of one that is gone, nor where the machine has no id', () => {
    token();
    rmSync(file);
    expect(() => token()).toThrow(expect.objectContaining({ code: 'HOST_KEY_MISSING' }));
    rmSync(recordOf(file));
    machineId('uninitialized');
    expect(() => token()).toThrow(expect.objectContaining({ code: 'MACHINE_ID' }));
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ['missing', 'HOST_KEY_MISSING', () => rmSync(file)],
    ['open to the group', 'HOST_KEY_OPEN', () => chmodSync(file, 0o440)],
    ['open to others', 'HOST_KEY_OPEN', () => chmodSync(file, 0o404)],
    ['cut', 'HOST_KEY_SIZE', () => rewrite(randomBytes(31))],
    ['too long', 'HOST_KEY_SIZE', () => rewrite(randomBytes(33))],
    ['empty', 'HOST_KEY_SIZE', () => rewrite(Buffer.alloc(0))],
    [
      'a folder',
      'HOST_KEY_UNREADABLE',
      () => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
    ['another one', 'SEALED_ELSEWHERE', () => rewrite(randomBytes(32))],
  ])('%s is told as %s, and never made good by itself', (_, code, spoil) => {
    const sealed = token();
    spoil();
    expect(codeOf(sealed)).toBe(code);
    expect(codeOf(sealed)).toBe(code);
  });

  const rewrite = (bytes: Buffer) => {
    rmSync(file);
    writeFileSync(file, bytes, { mode: 0o400 });
  };

  it('lies where it is named, else with the credentials of the unit, else with its user', () => {
    ensureHostKey(where, {});
    const folder = path.join(root, 'credentials');
    expect(findHostKey({ ...where, env: { CREDENTIALS_DIRECTORY: folder } })).toBe(file);
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'host.key'), '');
    expect(findHostKey({ ...where, env: { CREDENTIALS_DIRECTORY: folder } })).toBe(path.join(folder, 'host.key'));
    expect(findHostKey({ ...where, env: { CREDENTIALS_DIRECTORY: folder, SCOUT_HOST_KEY_FILE: '/x/k' } })).toBe('/x/k');
    // The unit's word for none.
    writeFileSync(path.join(folder, 'host.key'), 'none');
    expect(findHostKey({ ...where, env: { CREDENTIALS_DIRECTORY: folder } })).toBe(file);
    const user: Where = { uid: 1000, env: { XDG_CONFIG_HOME: path.join(root, 'home') }, root };
    // Root's is named, so that the error says why it does not help; sealing makes the user's own.
    expect(findHostKey(user)).toBe(file);
    expect(ensureHostKey(user, {}).file).toBe(path.join(root, 'home/scout-agent/host.key'));
    expect(findHostKey(user)).toBe(path.join(root, 'home/scout-agent/host.key'));
    expect(findHostKey({ uid: 1000, env: { HOME: '/home/a' }, root: '/nowhere' })).toBe('/home/a/.config/scout-agent/host.key');
    // A service that was handed none misses root's, and none in the home of its user.
    const service = { uid: 1000, env: { HOME: '/var/lib/a', CREDENTIALS_DIRECTORY: folder }, root: '/nowhere' };
    expect(findHostKey(service)).toBe('/nowhere/etc/scout-agent/host.key');
  });

  it('is read by nobody who may not', () => {
    expect(() => readHostKey('/proc/self/mem', {})).toThrow(ScoutError);
  });
});

describe('a sealed value on its host', () => {
  it('opens, and names the host key among what to watch', () => {
    expect(open(token('secret'))).toEqual({ ok: true, value: 'secret', files: [file] });
  });

  it.each(['', '0'.repeat(32), 'uninitialized', 'host.example'])('says that a machine id of %j is none', (id) => {
    const sealed = token();
    machineId(id);
    expect(codeOf(sealed)).toBe('MACHINE_ID');
    rmSync(path.join(root, 'etc/machine-id'));
    expect(codeOf(sealed)).toBe('MACHINE_ID');
  });

  it('keeps what is sealed already as it is', () => {
    const sealed = token();
    expect(sealHere('api.key', sealed, where)).toEqual({ token: sealed });
    expect(sealHere('proxy', sealed, where)).toMatchObject({ fault: { code: 'SEALED_FIELD' } });
  });

  it('opens for any of the destinations, whose order may change', () => {
    expect(codeOf(token('k', 'destinations[0].key'), 'destinations[3].key')).toBe('opened');
  });

  it('never shows token or text in what it says', () => {
    const sealed = token('canary-canary');
    machineId();
    for (const text of [sealed, sealed.slice(0, -3), sealed.replace('v1', 'v9'), `${sealed}!`, `enc:${sealed}`]) {
      const said = JSON.stringify(open(text));
      expect(said).toContain('"ok":false');
      expect(said).not.toContain('canary');
      expect(said).not.toContain(sealed.slice(-20, -4));
    }
  });
});

describe('sealed values in a configuration', () => {
  const resolve = (name: string, text: string, more: Record<string, string> = {}) => {
    for (const [file, content] of Object.entries({ ...more, [name]: text })) writeFileSync(path.join(root, file), content, { mode: 0o644 });
    return resolveConfig({ file: path.join(root, name), ...where });
  };

  it('open wherever a secret may stand, also in a file that others may read; the host key is watched', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const found = resolve(
      'a.toml',
      `proxy = "${token('http://u:p@h:1', 'proxy')}"
destinations = [{ name = "b", type = "otlp", endpoint = "https://b", auth = "bearer", key = "${token('k'.repeat(20), 'destinations[].key')}" }]
[api]
endpoint = "https://a"
credential_id = "c"
private_key = '${token(pem, 'api.private_key')}'
`,
    );
    expect(found.problems).toEqual([]);
    expect(found.config).toMatchObject({ proxy: 'http://u:p@h:1', api: { auth: 'jwt' }, destinations: [{ key: 'k'.repeat(20) }] });
    expect(found.watch).toContain(file);

    const key = randomBytes(32).toString('hex');
    const inFile = resolve('b.yml', 'api: {endpoint: https://a, key_file: key}', { key: `${token(key)}\n` });
    expect(inFile.problems).toEqual([]);
    expect(inFile.config?.api.key).toBe(key);
  });

  it('that do not open are told once each, shown nowhere, and taken for nothing else', () => {
    const sealed = {
      proxy: token('http://u:p@h:1', 'proxy'),
      pass: token('p', 'tls.key_passphrase'),
      key: token('k'.repeat(20), 'destinations[].key'),
      api: token(),
    };
    machineId();
    const { problems, values, config } = resolve(
      'a.yml',
      `proxy: ${sealed.proxy}
api: {endpoint: https://a, key: ${sealed.api}}
tls: {key_passphrase: ${sealed.pass}}
destinations: [{name: b, type: otlp, endpoint: https://b, auth: bearer, key: ${sealed.key}}]
`,
    );
    expect(config).toBeUndefined();
    expect(problems.map(({ code, line }) => `${code} ${line}`).sort()).toEqual([1, 2, 3, 4].map((line) => `SEALED_MACHINE ${line}`));
    expect(JSON.stringify({ problems, values })).not.toContain('enc:v1');
    expect(problems[0]?.remedy).toBe(`Run: scout-agent rewrap --config ${path.join(root, 'a.yml')}`);
  });
});

describe('rewrap', () => {
  it('seals anew what was sealed under any machine id of this host key', () => {
    const sealed = token('secret');
    for (let again = 0; again < 3; again++) {
      machineId();
      expect(codeOf(sealed)).toBe('SEALED_MACHINE');
      const rewrapper = new Rewrapper(where);
      const done = rewrapper.rewrap('api.key', sealed);
      rewrapper.note();
      expect(done.kind === 'sealed' && open(done.token)).toMatchObject({ ok: true, value: 'secret' });
    }
    expect(knownMachines(file, readFileSync(file))).toHaveLength(4);
  });

  it('leaves alone what opens and what is not sealed', () => {
    expect(new Rewrapper(where).rewrap('api.key', token())).toEqual({ kind: 'kept' });
    expect(new Rewrapper(where).rewrap('api.key', 'plain')).toEqual({ kind: 'kept' });
  });

  it('says what it cannot mend, and what to do', () => {
    const sealed = token();
    const stranger = seal({ hostKey: readFileSync(file), machine: randomBytes(16) }, 'api.key', 'x');
    expect(new Rewrapper(where).rewrap('api.key', stranger)).toMatchObject({ fault: { code: 'REWRAP_UNKNOWN' } });
    machineId();
    expect(new Rewrapper(where).rewrap('proxy', sealed)).toMatchObject({ fault: { code: 'SEALED_FIELD' } });
    rmSync(recordOf(file));
    expect(new Rewrapper(where).rewrap('api.key', sealed)).toMatchObject({ fault: { code: 'REWRAP_UNKNOWN' } });
  });

  it('keeps a record that opens nothing without the host key', () => {
    token();
    const [line = ''] = readFileSync(recordOf(file), 'utf8').split('\n');
    expect(statSync(recordOf(file)).mode & 0o777).toBe(0o400);
    expect(line).not.toContain(sealingMachine(root).toString('hex'));
    expect(knownMachines(file, randomBytes(32))).toEqual([]);
    noteMachine(file, { hostKey: readFileSync(file), machine: sealingMachine(root) });
    expect(readFileSync(recordOf(file), 'utf8')).toBe(`${line}\n`);
  });
});
