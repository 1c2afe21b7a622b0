import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import { freshKey, listed, Scratch, summary } from './scratch.ts';

/* Slips of the hand: what was meant must be said, and nothing else be blamed. */

const ENDPOINT = 'https://scout.example.com';
const told = (name: string, text: string) => {
  const found = new Scratch().resolve(name, text);
  return found.problems.map((one) => `${one.line}:${one.column} ${one.code} ${one.message} ${one.remedy}`);
};

describe('a name', () => {
  const key = freshKey();
  it.each([
    ['a.yml', `SCOUTAPIKEY: ${key}\nSCOUT_URL: ${ENDPOINT}\n`, ['`api.key`', '`api.endpoint`']],
    ['a.yml', `api.key: ${key}\napi.endpoint: ${ENDPOINT}\n`, ['`api.key`: `key` in the section `api`', '`api.endpoint`']],
    ['a.toml', `api_key = "${key}"\napi_base_url = "${ENDPOINT}"\n`, ['`api.key`', '`api.endpoint`']],
    ['a.env', `SCOUT_URL=${ENDPOINT}\nAPI_KEY=${key}\n`, ['`SCOUT_API_KEY`']],
  ])('of another format or service is told in this one: %s %#', (name, text, meant) => {
    const problems = told(name, text).filter((one) => one.includes('UNKNOWN'));
    expect(problems).toEqual(meant.map((one) => expect.stringContaining(`Did you mean ${one}`)));
  });

  it('that is unknown under [agent] is named, not the table', () => {
    const text = `[agent]\napi_key = "${key}"\napi_base_url = "${ENDPOINT}"\nflavour = 1\napi_kee = 2\n`;
    expect(told('a.toml', text)).toEqual([
      expect.stringMatching(/^4:1 CONFIG_UNKNOWN_KEY_FAR .*`agent.flavour`/),
      expect.stringMatching(/^5:1 CONFIG_UNKNOWN_KEY .*Did you mean `agent.api_key`/),
    ]);
  });
});

it('a key and a private key without api.auth: it is said which one is used', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const text = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
  const both = (auth: string) =>
    told('a.yml', `api:\n  key: ${freshKey()}\n  private_key: ${text}\n  credential_id: c\n  endpoint: ${ENDPOINT}\n${auth}`);
  expect(both('')).toEqual([expect.stringMatching(/^2:8 CONFIG_TWO_CREDENTIALS .*signed with the private key/)]);
  expect(both('  auth: jwt\n')).toEqual([]);
});

describe('what is missing', () => {
  it.each([
    ['a.yml', '', ['KEY_MISSING 1:1', '(CONFIG_ENDPOINT_DEFAULT 1:1)']],
    ['a.yml', `log: { level: info }\napi:\n  endpoint: ${ENDPOINT}\n`, ['KEY_MISSING 2:1']],
    ['a.env', `\nSCOUT_URL=${ENDPOINT}\n`, ['KEY_MISSING 1:1']],
    ['a.env', `SCOUT_URL=${ENDPOINT}\nSCOUT_PRIVATE_KEY=\n`, ['KEY_MISSING 2:1']],
    ['a.yml', `interval: 1s\napi: { auth: jwt, endpoint: "${ENDPOINT}" }\n`, ['CONFIG_REQUIRED 2:1', 'CONFIG_REQUIRED 2:1']],
  ])('has a place: %s %j', (name, text, expected) => {
    expect(summary(new Scratch().resolve(name, text))).toEqual(expected);
  });

  it.each([
    ['a.yml', `api: ${freshKey()}\n`, ['CONFIG_VALUE 1:6']],
    ['a.toml', `[[api]]\nkey = "${freshKey()}"\n`, ['CONFIG_VALUE 1:3']],
    ['a.yml', `api:\n  endpoint: ${ENDPOINT}\nkey: ${freshKey()}\n`, ['CONFIG_INDENTATION 3:1']],
    ['a.yml', `api:\n  endpoint: ${ENDPOINT}\napi:\n  key: ${freshKey()}\n`, ['CONFIG_DUPLICATE 3:1']],
  ])('is not called so where it stands in the wrong place: %s %#', (name, text, expected) => {
    expect(summary(new Scratch().resolve(name, text))).toEqual(expected);
  });
});

describe('an environment file', () => {
  it.each(['%s # mine', '"%s" # mine', "'%s'# mine"])('points out a comment behind a value: %s', (form) => {
    const [first] = told('agent.env', `SCOUT_URL=${ENDPOINT}\nSCOUT_API_KEY=${form.replace('%s', freshKey())}\n`);
    expect(first).toMatch(/^2:(80|81|82) CONFIG_SYNTAX .*lines of their own/);
  });

  it('takes a # inside a value for what it is', () => {
    expect(told('agent.env', `SCOUT_URL=${ENDPOINT}\nSCOUT_API_KEY=${freshKey()}\nSCOUT_HOST_NAME="a #b"\n`)).toEqual([]);
  });

  it('may switch a collector and set something of it, in any order', () => {
    const lines = ['SCOUT_COLLECTORS_PROCESSES=off', 'SCOUT_COLLECTORS_PROCESSES_TOP=3'];
    for (const order of [lines, lines.toReversed()]) {
      const found = new Scratch().resolve('agent.env', `SCOUT_URL=${ENDPOINT}\nSCOUT_API_KEY=${freshKey()}\n${order.join('\n')}\n`);
      expect(found.config?.collectors.processes).toEqual({ enabled: false, top: 3 });
    }
  });

  it('says of many lines without `=` one thing', () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nabc\ndef\nghi\n';
    expect(told('agent.env', `SCOUT_URL=${ENDPOINT}\nSCOUT_API_KEY=${freshKey()}\n${pem}`)).toEqual([
      expect.stringMatching(/^3:1 CONFIG_SYNTAX .*this and the 3 after it/),
    ]);
  });
});

describe('a key in the wrong setting', () => {
  const key = freshKey();
  it.each([
    `api:\n  key: ${ENDPOINT}\n  endpoint: ${key}\n`,
    `api:\n  key_file: ${key}\n  endpoint: ${ENDPOINT}\n`,
    `api:\n  key: ${key}\n  endpoint: ${ENDPOINT}?key=${key}\n`,
    `api:\n  key: ${key}\n  endpoint: ${ENDPOINT}\ninterval: ${key}\n`,
    `api:\n  key: ${key}\n  endpoint: ${ENDPOINT}\nhost_name: ${key}\n`,
    `api:\n  key: ${key}\n  endpoint: ${ENDPOINT}\ntls: { ca_file: ${key} }\n`,
    `api:\n  key: ${key}\n  endpoint: ${ENDPOINT}\ncollectors: { disk: { exclude: [${key}] } }\n`,
    `api:\n  key: systemd-cred:${key}\n  endpoint: ${ENDPOINT}\n`,
    `api:\n  key: ${key}\n  endpoint: ${ENDPOINT}\n  kid: ${key}\n`,
  ])('is not shown: %#', (text) => {
    const { values, problems } = new Scratch().resolve('a.yml', text);
    expect(JSON.stringify({ values, problems })).not.toContain(key.slice(0, 16));
  });

  it('is recognised in key_file and in private_key', () => {
    expect(told('a.yml', `api: { key_file: ${key}, endpoint: "${ENDPOINT}" }\n`)[0]).toContain(
      'looks like the key, which belongs in api.key',
    );
    expect(told('a.yml', `api: { private_key: ${key}, credential_id: c, endpoint: "${ENDPOINT}" }\n`)[0]).toContain('belongs in api.key');
    expect(told('a.yml', `api: { private_key: "<key>", credential_id: c, endpoint: "${ENDPOINT}" }\n`)[0]).toContain('KEY_PLACEHOLDER');
  });

  it.each(['user:hunter2@proxy:3128', 'http://user:hunter2@proxy:3128', 'user:hunter2'])('nor the password in proxy: %s', (proxy) => {
    const { values, problems } = new Scratch().resolve('a.yml', `api: { key: ${key}, endpoint: "${ENDPOINT}" }\nproxy: "${proxy}"\n`);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
    expect(values.find(({ name }) => name === 'proxy')?.value).toContain('********');
  });

  it('leaves names, paths and addresses as they are', () => {
    const folder = `/var/lib/containers/${key}/_data`;
    const text = `state_dir: ${folder}\nhost_name: web-1.example.com\napi: { key: ${key}, endpoint: "https://x.example.com:8443/base" }\n`;
    const found = new Scratch().resolve('a.yml', text);
    expect(listed(found, 'state_dir')?.value).toBe(folder);
    expect(listed(found, 'host_name')?.value).toBe('web-1.example.com');
    expect(listed(found, 'api.endpoint')?.value).toBe('https://x.example.com:8443/base');
  });
});

describe('white space in a key', () => {
  it.each([
    [(key: string) => `api:\n  key: ${key.slice(32)}\n    ${key.slice(32)}\n`, 'position 33 of 65: a space'],
    [(key: string) => `api:\n  key: |\n    ${key}\n`, 'position 65 of 65: a line end'],
    [(key: string) => `api:\n  key: "${key}\\t"\n`, 'position 65 of 65: a tab'],
    [(key: string) => `api:\n  key: "\u00a0${key}"\n`, 'position 1 of 65: U+00A0'],
  ])('is named: %#', (write, words) => {
    expect(told('a.yml', `${write(freshKey())}  endpoint: ${ENDPOINT}\n`)[0]).toContain(words);
  });
});

describe('what stands where a file should', () => {
  const named = {
    'api.key_file': (file: string) => `api: { key_file: ${file}, endpoint: "${ENDPOINT}" }\n`,
    'api.private_key_file': (file: string) => `api: { private_key_file: ${file}, credential_id: c, endpoint: "${ENDPOINT}" }\n`,
    'tls.ca_file': (file: string) => `api: { key: ${freshKey()}, endpoint: "${ENDPOINT}" }\ntls: { ca_file: ${file} }\n`,
  };
  it.skipIf(process.platform === 'win32').each(Object.entries(named))('is not waited for without end: %s', (name, text) => {
    const scratch = new Scratch();
    const pipe = path.join(scratch.root, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    const told = (file: string) => scratch.resolve('a.yml', text(file)).problems.map((one) => one.message)[0];
    expect(told(pipe)).toContain('it is not a regular file');
    expect(told('/dev/zero')).toContain('it is not a regular file');
    expect(told(scratch.root)).toContain('it is a folder');
    const long = scratch.file('long', '');
    truncateSync(long, (name === 'tls.ca_file' ? 16 : 1) * 2 ** 20 + 1);
    expect(told(long)).toMatch(/it has \d+ bytes, far more/);
  });

  it.skipIf(process.platform === 'win32')('is not waited for in conf.d either', () => {
    const scratch = new Scratch();
    mkdirSync(path.join(scratch.root, 'conf.d'));
    execFileSync('mkfifo', ['-m', '600', path.join(scratch.root, 'conf.d/a.yml')]);
    const found = scratch.resolve('a.yml', `api: { key: ${freshKey()}, endpoint: "${ENDPOINT}" }\n`);
    expect(found.problems.map((one) => one.message)).toEqual([expect.stringContaining('it is not a regular file')]);
  });

  it('is told for what it is', () => {
    const scratch = new Scratch();
    mkdirSync(path.join(scratch.root, 'folder.yml'));
    symlinkSync('nowhere', path.join(scratch.root, 'dead.yml'));
    symlinkSync('loop.yml', path.join(scratch.root, 'loop.yml'));
    const message = (file: string) => resolveConfig({ file, env: {}, uid: 0 }).problems.map((one) => one.message)[0];
    expect(message(path.join(scratch.root, 'folder.yml'))).toContain('it is a folder');
    expect(message(path.join(scratch.root, 'dead.yml'))).toContain('it is a link to a file that does not exist');
    expect(message(path.join(scratch.root, 'loop.yml'))).toContain('leads back to itself');
    expect(message(path.join(scratch.root, 'none.yml'))).toContain('it does not exist');
    expect(message('/dev/null')).toContain('it is not a regular file');
    expect(message('')).toContain('its path is empty');
  });

  it('is not passed over on the way through the usual places', () => {
    const scratch = new Scratch();
    scratch.file('opt/serverscout/config.yml', `api: { key: ${freshKey()}, endpoint: "${ENDPOINT}" }\n`);
    mkdirSync(path.join(scratch.root, 'etc/scout-agent/config.yml'), { recursive: true });
    const found = resolveConfig({ env: {}, uid: 0, root: scratch.root });
    expect(found).toMatchObject({ ok: false, problems: [{ code: 'CONFIG_MISSING_FILE', message: expect.stringContaining('a folder') }] });
  });

  it('names UTF-16', () => {
    const scratch = new Scratch();
    const file = scratch.file('a.yml', Buffer.from(`api: { key: ${freshKey()} }`, 'utf16le'));
    expect(resolveConfig({ file, env: {}, uid: 0 }).problems[0]?.message).toContain('UTF-16');
  });

  it('gets a chmod that a shell takes', () => {
    const scratch = new Scratch();
    const text = `api: { key: ${freshKey()}, endpoint: "${ENDPOINT}" }\n`;
    const file = scratch.file("it's mine.yml", text);
    chmodSync(file, 0o644);
    const quoted = `'${scratch.root}/it'\\''s mine.yml'`;
    expect(resolveConfig({ file, env: {}, uid: 0 }).problems).toMatchObject([{ remedy: `Run: chmod 0640 ${quoted}`, line: 1, column: 1 }]);
  });
});
