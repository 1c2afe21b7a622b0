import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitOf, resolveConfig } from '../../src/config/resolve.ts';
import { freshKey, listed, Scratch, summary } from './scratch.ts';

const ENDPOINT = 'https://scout.example.com';
const yaml = (key: string, rest = '') => `api:\n  key: ${key}\n  endpoint: ${ENDPOINT}\n${rest}`;
const toml = (key: string, rest = '') => `[api]\nkey = "${key}"\nendpoint = "${ENDPOINT}"\n${rest}`;
const env = (key: string, rest = '') => `SCOUT_API_KEY="${key}"\nSCOUT_URL=${ENDPOINT}\n${rest}`;

const hex = (length: number) => 'a1b2c3d4e5f6'.repeat(10).slice(0, length);

describe('keys', () => {
  const formats = [
    ['a.yml', (key: string) => yaml(`"${key}"`), '2:8'],
    ['a.toml', toml, '2:7'],
    ['a.env', env, '1:15'],
  ] as const;
  const faults = [
    [`${hex(60)}ghijklmnopqrstuv`, ['KEY_LENGTH', 'KEY_CHARACTER'], ['76 characters', 'position 61 of 76']],
    [hex(63), ['KEY_LENGTH'], ['63 characters', '1 too short']],
    [`${hex(63)}g`, ['KEY_CHARACTER'], ['position 64 of 64']],
    [`${hex(64)} `, ['KEY_WHITESPACE'], ['position 65 of 65']],
    [` ${hex(63)}`, ['KEY_WHITESPACE', 'KEY_LENGTH'], ['position 1 of 64']],
    ['your-api-key-here', ['KEY_PLACEHOLDER'], []],
    ['<key>', ['KEY_PLACEHOLDER'], []],
    ['changeme', ['KEY_PLACEHOLDER'], []],
    ['xxxxxxxx', ['KEY_PLACEHOLDER'], []],
    ['0'.repeat(64), ['KEY_PLACEHOLDER'], []],
    ['', ['KEY_MISSING'], []],
  ] as const;
  for (const [file, write, place] of formats)
    it.each(faults)(`${file}: %j`, (key, codes, texts) => {
      const found = new Scratch().resolve(file, write(key));
      const at = key === '' ? { 'a.yml': '2:3', 'a.toml': '2:1', 'a.env': '1:1' }[file] : place;
      expect(summary(found)).toEqual(codes.map((code) => `${code} ${at}`));
      const told = found.problems.map((one) => `${one.message} ${one.remedy}`).join('\n');
      for (const text of texts) expect(told).toContain(text);
      if (key.length > 20) expect(JSON.stringify(found)).not.toContain(key.trim());
      expect(exitOf(found.problems)).toBe(78);
    });

  it('takes upper-case hex as it is', () => {
    const key = freshKey().toUpperCase();
    expect(new Scratch().resolve('a.yml', yaml(`"${key}"`)).config?.api.key).toBe(key);
  });

  it('keeps a key that YAML takes for a number', () => {
    const key = '12345678'.repeat(8);
    const other = `1234${'0'.repeat(55)}1e567`;
    expect(new Scratch().resolve('a.yml', yaml(key)).config?.api.key).toBe(key);
    expect(new Scratch().resolve('a.yml', yaml(other)).config?.api.key).toBe(other);
  });

  it('never shows a value that stands in the wrong type or breaks the syntax', () => {
    const key = freshKey();
    for (const [name, text] of [
      ['a.toml', `[api]\nkey = ${key}\n`],
      ['a.toml', `[api]\nkey = ["${key}"]\n`],
      ['a.yml', `api:\n  key: [${key}]\n`],
      ['a.yml', `api:\n  key: *${key}\n`],
      ['a.yml', `api:\n  key: !${key} x\n`],
      ['a.yml', `api:\n  key: @${key}\n`],
      ['a.yml', `api:\n  key: "${key}\n`],
      ['a.yml', `api:\n  key: "\\q${key}"\n`],
      ['a.yml', `api: {key:${key}}\n`],
      ['a.yml', `api:\n  key:${key}\n`],
      ['a.yml', `api:\n  ${key}: 1\n`],
      ['a.toml', `[api]\n${key} = 1\n`],
      ['a.toml', `[api]\n${key} = 1\n${key} = 2\n`],
      ['a.env', `SCOUT_API_KEY: ${key}=\n`],
      ['a.env', `${key}=1\n${key}=2\n`],
    ] as const) {
      const found = new Scratch().resolve(name, text);
      expect(found.ok).toBe(false);
      expect(JSON.stringify(found)).not.toContain(key);
    }
  });

  it('reads key_file, and says what is wrong with it', () => {
    const scratch = new Scratch();
    const key = freshKey();
    scratch.file('key', `${key}\n`);
    scratch.file('two', `${key}\n\n`);
    scratch.file('none', '\n');
    const from = (name: string) => scratch.resolve('a.toml', `[api]\nkey_file = "${name}"\nendpoint = "${ENDPOINT}"\n`);
    expect(from('key').config?.api.key).toBe(key);
    expect(from('two').problems).toMatchObject([{ code: 'KEY_WHITESPACE', file: path.join(scratch.root, 'two'), line: 1 }]);
    expect(summary(from('none'))).toEqual(['KEY_FILE 1:1']);
    expect(summary(from('absent'))).toEqual(['KEY_FILE 2:12']);
    expect(summary(scratch.resolve('b.toml', `[api]\nkey = "${key}"\nkey_file = "key"\nendpoint = "${ENDPOINT}"`))).toEqual([
      'CONFIG_CONFLICT 2:1',
    ]);
  });

  it('reads systemd credentials, and says that sealed values cannot be opened', () => {
    const scratch = new Scratch();
    const key = freshKey();
    const credentials = path.dirname(scratch.file('credentials/agent-key', `${key}\n`));
    const found = scratch.resolve('a.yml', yaml('systemd-cred:agent-key'), { env: { CREDENTIALS_DIRECTORY: credentials } });
    expect(found.config?.api.key).toBe(key);
    expect(found.watch).toContain(path.join(credentials, 'agent-key'));
    expect(summary(scratch.resolve('b.yml', yaml('systemd-cred:agent-key')))).toEqual(['KEY_CREDENTIAL 2:8']);
    expect(summary(scratch.resolve('b.yml', yaml('systemd-cred:../key'), { env: { CREDENTIALS_DIRECTORY: credentials } }))).toEqual([
      'KEY_CREDENTIAL 2:8',
    ]);
    expect(summary(scratch.resolve('c.yml', yaml('enc:v1:hkdf:a:b:c')))).toEqual(['SEALED_MALFORMED 2:8']);
  });
});

describe('the file', () => {
  it('names lines that lost their indentation, and what was meant', () => {
    const found = new Scratch().resolve('agent.env.yml', `# c\napi:\nkey: ${freshKey()}\nendpoint: ${ENDPOINT}\ninterval: 5s\n`);
    expect(summary(found)).toEqual(['CONFIG_INDENTATION 3:1', 'CONFIG_INDENTATION 4:1']);
    expect(found.problems[0]).toMatchObject({
      message: expect.stringContaining('`key`'),
      remedy: expect.stringContaining('indent the line'),
    });
    expect(listed(found, 'api.endpoint')?.source).toMatchObject({ line: 4, column: 11 });
  });

  it('reads export lines with a warning', () => {
    const found = new Scratch().resolve('agent.env', `export SCOUT_API_KEY='${freshKey()}'\nSCOUT_URL=${ENDPOINT}\n`);
    expect(found.ok).toBe(true);
    expect(summary(found)).toEqual(['(CONFIG_EXPORT 1:1)']);
  });

  it('reads CRLF and a byte order mark', () => {
    for (const [name, text] of [
      ['a.yml', yaml(freshKey())],
      ['a.toml', toml(freshKey())],
      ['a.env', env(freshKey())],
    ] as const)
      expect(new Scratch().resolve(name, `\ufeff${text.replaceAll('\n', '\r\n')}`).problems).toEqual([]);
  });

  it.each([
    ['a.yml', yaml(freshKey(), 'intervall: 5\n'), 'CONFIG_UNKNOWN_KEY 4:1', '`interval`'],
    ['a.yml', yaml(freshKey(), 'collectors:\n  cpu:\n    percore: 1\n'), 'CONFIG_UNKNOWN_KEY 6:5', '`collectors.cpu.per_core`'],
    ['a.yml', yaml(freshKey(), 'api_key: x\n'), 'CONFIG_UNKNOWN_KEY 4:1', '`api.key`'],
    ['a.toml', toml(freshKey(), 'endpont = "x"\n'), 'CONFIG_UNKNOWN_KEY 4:1', '`api.endpoint`'],
    ['a.toml', toml(freshKey(), '[colectors.cpu]\nenabled = true\n'), 'CONFIG_UNKNOWN_KEY 4:2', '`collectors`'],
    ['a.toml', toml(freshKey(), 'qqqqqqqq = 1\n'), 'CONFIG_UNKNOWN_KEY_FAR 4:1', 'Remove'],
    ['a.env', env(freshKey(), 'SCOUT_INTERVALL=5\n'), 'CONFIG_UNKNOWN_KEY 3:1', '`SCOUT_INTERVAL`'],
    ['a.env', env(freshKey(), 'PATH=/bin\n'), '(CONFIG_UNKNOWN_KEY_FAR 3:1)', 'Remove'],
    ['a.yml', yaml(freshKey(), 'interval: 1\ninterval: 2\n'), 'CONFIG_DUPLICATE 5:1', 'a.yml:4:1'],
    ['a.toml', toml(freshKey(), 'key = "x"\n'), 'CONFIG_DUPLICATE 4:1', 'a.toml:2:1'],
    ['a.toml', toml(freshKey(), '[log]\n[log]\n'), 'CONFIG_DUPLICATE 5:2', 'a.toml:4:2'],
    ['a.env', env(freshKey(), 'SCOUT_URL=x\n'), 'CONFIG_DUPLICATE 3:1', 'a.env:2:1'],
    ['a.yml', yaml(freshKey(), 'interval: 5 minutes\n'), 'CONFIG_VALUE 4:11', '`5 minutes` is not a duration between 5ms and 24h'],
    ['a.yml', yaml(freshKey(), 'collectors:\n  processes: { top: 60 }\n'), 'CONFIG_VALUE 5:21', 'a whole number between 0 and 50'],
    ['a.yml', yaml(freshKey(), 'collectors:\n  cpu: maybe\n'), 'CONFIG_VALUE 5:8', 'true or false'],
    ['a.toml', toml(freshKey(), 'auth = "basic"\n'), 'CONFIG_VALUE 4:8', 'one of api-key, bearer, jwt'],
    ['a.toml', toml(freshKey(), 'timeout = "1h"\n'), 'CONFIG_VALUE 4:11', '100ms and 5m'],
    ['a.env', env(freshKey(), 'SCOUT_LOG_LEVEL=loud\n'), 'CONFIG_VALUE 3:17', 'trace, debug'],
    ['a.yml', yaml(freshKey(), '\tinterval: 5\n'), 'CONFIG_SYNTAX 4:1', 'use spaces'],
    ['a.yml', yaml(freshKey(), '---\na: 1\n'), 'CONFIG_SYNTAX 4:1', 'second document'],
    ['a.toml', toml(freshKey(), 'auth = bearer\n'), 'CONFIG_SYNTAX 4:8', 'quotes'],
    ['a.env', env(freshKey(), 'SCOUT_INTERVAL="5\n'), 'CONFIG_SYNTAX 3:16', 'never closed'],
    ['a.yml', yaml(freshKey(), 'destinations:\n  - { name: A, type: otlp, endpoint: "https://x" }\n'), 'CONFIG_VALUE 5:13', 'lower-case'],
    ['a.yml', yaml(freshKey(), 'destinations:\n  - { name: a, type: otlp }\n'), 'CONFIG_VALUE 5:5', 'missing'],
    ['a.yml', yaml(freshKey(), 'destinations:\n  - { name: a, type: otlp, endpoint: "http://x" }\n'), 'ENDPOINT_PLAIN_HTTP 5:38', 'https'],
    ['a.yml', yaml(freshKey(), 'proxy: "socks5://x:1"\n'), 'CONFIG_VALUE 4:8', 'not supported'],
    [
      'a.yml',
      yaml(freshKey(), 'destinations:\n  - { name: a, type: scout, endpoint: "https://x" }\n'),
      'CONFIG_REQUIRED 5:5',
      'type is scout',
    ],
    [
      'a.yml',
      yaml(freshKey(), `destinations:\n  - { name: a, type: otlp, endpoint: "https://x", key: ${hex(20)} }\n`),
      'CONFIG_REQUIRED 5:56',
      'api-key or bearer',
    ],
    ['a.yml', yaml(freshKey(), 'host_name: "a\\nb"\n'), 'CONFIG_VALUE 4:12', 'control character'],
    ['a.yml', yaml(freshKey(), 'host_name: " "\n'), 'CONFIG_VALUE 4:12', '1 to 255'],
    ['a.toml', `interval = nan\n${toml(freshKey())}`, 'CONFIG_VALUE 1:12', '`NaN` is not'],
    ['a.yml', `api: { endpoint: "https://x:0", key: ${freshKey()} }\n`, 'CONFIG_VALUE 1:18', 'port 0'],
    ['a.yml', `api:\n  <<: { key: ${freshKey()} }\n  endpoint: ${ENDPOINT}\n`, 'CONFIG_SYNTAX 2:3', 'YAML 1.1'],
    ['a.yml', yaml(freshKey(), 'tls: { ca_file: /nowhere }\n'), 'TLS_FILE 4:17', 'it does not exist (ENOENT)'],
    ['a.yml', yaml(freshKey(), 'tls: { ca_file: a.yml }\n'), 'TLS_FILE 4:17', 'no certificate'],
    ['a.yml', yaml(freshKey(), 'tls: { cert_file: /nowhere }\n'), 'TLS_FILE 4:19', 'ENOENT'],
  ])('%s: %j', (name, text, expected, told) => {
    const found = new Scratch().resolve(name, text);
    expect(summary(found)[0]).toBe(expected);
    expect(`${found.problems[0]?.message} ${found.problems[0]?.remedy}`).toContain(told);
  });

  it('does not complain of what is missing from a file that it could not read', () => {
    for (const rest of ['key = "x"\n', 'key = x\n'])
      expect(new Scratch().resolve('a.toml', toml(freshKey(), rest)).problems).toHaveLength(1);
  });

  it('tells all faults at once', () => {
    const text = `interval: 1ms\nlog: { level: loud }\nfoobar: 1\napi:\n  key: short\n  endpoint: http://example.com\n  kid: x\n`;
    expect(summary(new Scratch().resolve('a.yml', text)).toSorted()).toEqual([
      'CONFIG_UNKNOWN_KEY_FAR 3:1',
      'CONFIG_VALUE 1:11',
      'CONFIG_VALUE 2:15',
      'ENDPOINT_PLAIN_HTTP 6:13',
      'KEY_CHARACTER 5:8',
      'KEY_LENGTH 5:8',
    ]);
  });
});

describe('addresses', () => {
  const at = (endpoint: string) => new Scratch().resolve('a.yml', `api: { key: ${freshKey()}, endpoint: "${endpoint}" }`);
  it.each([
    'https://x.example.com',
    'http://127.0.0.1:8080',
    'http://127.9.9.9',
    'http://[::1]:1',
    'http://localhost:1',
    'https://[2001:db8::1]/base',
  ])('takes %s', (endpoint) => {
    expect(at(`${endpoint}//`).config?.api.endpoint).toBe(endpoint);
  });
  it.each(['http://x.example.com', 'http://10.0.0.1', 'http://localhost.example.com', 'http://[::2]'])('refuses %s', (endpoint) => {
    expect(at(endpoint).problems[0]?.code).toBe('ENDPOINT_PLAIN_HTTP');
  });
  it.each(['x.example.com', 'https://', 'ftp://x', 'https://u:hunter2@x', 'https://x?a=hunter2', 'https://x#a', 'https://x y'])(
    'refuses %s by what is wrong',
    (endpoint) => {
      const found = at(endpoint);
      expect(found.problems[0]?.code).toBe('CONFIG_VALUE');
      expect(JSON.stringify(found.problems)).not.toContain('hunter2');
    },
  );
  it('shows a proxy without its password', () => {
    const found = new Scratch().resolve('a.yml', `${yaml(freshKey())}proxy: http://user:hunter2@proxy:3128\n`);
    expect(found.ok).toBe(true);
    expect(listed(found, 'proxy')?.value).toBe('http://********@proxy:3128');
  });
});

describe('permissions', () => {
  const withMode = (mode: number, key = freshKey()) => {
    const scratch = new Scratch();
    const file = scratch.file('a.yml', yaml(key));
    chmodSync(file, mode);
    return { file, found: resolveConfig({ file, env: {}, uid: 0 }) };
  };
  it.each([
    [0o644, '0640'],
    [0o604, '0600'],
    [0o666, '0640'],
    [0o602, '0600'],
  ])('refuses mode %o with the chmod to run', (mode, wanted) => {
    const { file, found } = withMode(mode);
    expect(found.problems).toMatchObject([{ code: 'CONFIG_PERMISSIONS', remedy: `Run: chmod ${wanted} ${file}` }]);
    expect(exitOf(found.problems)).toBe(77);
  });
  it.each([0o600, 0o400, 0o640, 0o440])('takes mode %o', (mode) => {
    expect(withMode(mode).found.ok).toBe(true);
  });
  it('gives the status of a wrong configuration when both are there', () => {
    expect(exitOf(withMode(0o644, 'changeme').found.problems)).toBe(78);
  });
  it('lets others read a file that only points at the secret', () => {
    const scratch = new Scratch();
    scratch.file('key', freshKey());
    const file = scratch.file('a.yml', '');
    chmodSync(file, 0o644);
    expect(scratch.resolve('a.yml', `api: { key_file: key, endpoint: "${ENDPOINT}" }`).problems).toEqual([]);
  });
  it.runIf(process.getuid?.() === 0)('lets root take a file for the group of the user who has the state folder', () => {
    const scratch = new Scratch();
    const state = path.join(scratch.root, 'state');
    mkdirSync(state);
    chownSync(state, 12345, 54321);
    const file = scratch.file('a.yml', yaml(freshKey(), `state_dir: ${state}\n`));
    chmodSync(file, 0o640);
    chownSync(file, 0, 54321);
    expect(resolveConfig({ file, env: {}, uid: 0 }).problems).toEqual([]);
    chmodSync(file, 0o644);
    expect(resolveConfig({ file, env: {}, uid: 0 }).problems).toMatchObject([{ remedy: `Run: chmod 0640 ${file}` }]);
  });
  it.runIf(process.getuid?.() === 0)('refuses a group that is neither root’s nor ours', () => {
    const scratch = new Scratch();
    const key = freshKey();
    const file = scratch.file('a.yml', yaml(key));
    chmodSync(file, 0o640);
    chownSync(file, 0, 54321);
    expect(scratch.resolve('a.yml', yaml(key)).problems).toMatchObject([{ remedy: `Run: chmod 0600 ${file}` }]);
  });
  it('only warns where Kubernetes mounted the secret', () => {
    const scratch = new Scratch();
    const key = scratch.file('mount/..2026/key', freshKey(), 0o644);
    chmodSync(key, 0o644);
    symlinkSync('..2026', path.join(scratch.root, 'mount/..data'));
    symlinkSync('..data/key', path.join(scratch.root, 'mount/key'));
    mkdirSync(path.join(scratch.root, 'etc'));
    const found = scratch.resolve('etc/a.yml', `api: { key_file: ../mount/key, endpoint: "${ENDPOINT}" }`);
    expect(found.ok).toBe(true);
    expect(found.problems).toMatchObject([{ code: 'CONFIG_PERMISSIONS', severity: 'warning' }]);
  });
});
