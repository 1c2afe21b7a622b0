import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { exposed, statusBecomes } from '../helpers/agent-life.ts';
import { AGENT, Bench, type Done, Running, run } from '../helpers/programs.ts';

/* Sealed values as an operator handles them: the real commands, agent and hub. */

const bench = new Bench();
const bin = join(bench.folder, 'bin');
/** All that any command of a test said, with the secrets that must not be in it. */
let said = '';
let canaries: string[] = [];
let names = 0;
let hostKey = '';
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  await bench.startHub();
  mkdirSync(bin);
  writeFileSync(join(bin, 'scout-agent'), `#!/bin/sh\nexec '${process.execPath}' '${AGENT}' "$@"\n`, { mode: 0o755 });
});
afterAll(() => bench.close());
beforeEach(() => {
  said = '';
  canaries = [];
  hostKey = join(bench.folder, `keys-${++names}`, 'host.key');
  env = { ...process.env, SCOUT_HOST_KEY_FILE: hostKey, PATH: `${bin}:${process.env.PATH}`, NO_COLOR: '1' };
});

async function agent(args: string[], input = ''): Promise<Done> {
  const done = await run(AGENT, args, { env, input });
  said += done.stdout + done.stderr;
  return done;
}

/** A line of a remedy, as it would be typed. */
function typed(command: string, input = ''): number | null {
  const done = spawnSync('sh', ['-c', command], { env, input, encoding: 'utf8' });
  said += done.stdout + done.stderr;
  return done.status;
}

/** Nothing that was said holds a secret, plain or in another spelling, or a good part of a token. */
function nothingShown(...files: string[]): void {
  for (const secret of canaries)
    for (const form of [secret, Buffer.from(secret).toString('base64').slice(0, -4), Buffer.from(secret).toString('hex')])
      expect(said).not.toContain(form);
  for (const file of files)
    for (const [token] of readFileSync(file, 'utf8').matchAll(/enc:[\w:-]+/g)) {
      expect(said).not.toContain(token.slice(-24, -4));
      expect(said).not.toContain(token.slice(0, 20));
    }
}

const canary = (text = randomBytes(32).toString('hex')): string => {
  canaries.push(text);
  return text;
};

async function check(file: string) {
  const { stdout, status } = await agent(['--check-config', '--json', '--config', file]);
  const told = JSON.parse(stdout) as { values: { name: string; fingerprint?: string }[]; problems: { code: string; remedy: string }[] };
  return { status, print: told.values.find(({ name }) => name === 'api.key')?.fingerprint, problems: told.problems };
}

const settings = (name: string) => ({ state: join(bench.folder, name), ca: join(bench.data, 'ca.pem'), endpoint: bench.endpoint });
const formats: [string, (key: string, name: string) => string][] = [
  [
    'agent.env',
    (key, name) =>
      [
        `SCOUT_STATE_DIR=${settings(name).state}`,
        `SCOUT_TLS_CA_FILE=${settings(name).ca}`,
        `SCOUT_API_ENDPOINT=${bench.endpoint}`,
        '# the key',
        `SCOUT_API_KEY=${key}  `,
        "SCOUT_INTERVAL='100ms'",
        '',
      ].join('\r\n'),
  ],
  [
    'config.yml',
    (key, name) =>
      `interval: 100ms # often\napi: {endpoint: '${bench.endpoint}', key: ${key}} # ours\ntls: {ca_file: ${settings(name).ca}}\nstate_dir: ${settings(name).state}\n`,
  ],
  [
    'config.toml',
    (key, name) =>
      `interval = "100ms"\nstate_dir = '${settings(name).state}'\n[api] # ours\nendpoint = "${bench.endpoint}"\nkey = '${key}' # k\n[tls]\nca_file = "${settings(name).ca}"\n`,
  ],
];

describe.each(formats)('a key sealed in %s', (format, write) => {
  it('by --in-place: that value alone changes, the check opens it, and the agent reports with it', async () => {
    const name = `sealed-${format}`;
    const server = await bench.addServer(name);
    canary(server.key);
    mkdirSync(join(bench.folder, name));
    const file = join(bench.folder, name, format);
    writeFileSync(file, write(server.key, name), { mode: 0o640 });

    expect(await agent(['encrypt-value', '--in-place', '--config', file])).toMatchObject({ status: 0 });
    const sealed = readFileSync(file, 'utf8');
    const token = /enc:[\w:-]+/.exec(sealed)?.[0] ?? 'none';
    expect(sealed).toBe(write(token, name));
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(await check(file)).toEqual({ status: 0, print: server.fingerprint, problems: [] });

    expect(await agent(['encrypt-value', '--in-place', '--config', file])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('sealed already'),
    });
    expect(readFileSync(file, 'utf8')).toBe(sealed);

    const daemon = new Running(AGENT, ['run', '--config', file], env);
    await expect.poll(async () => (await bench.show(name)).instances[0]?.accepted ?? 0, { timeout: 25_000 }).toBeGreaterThan(2);
    said += exposed(daemon.child.pid as number);
    expect(await daemon.end()).toBe(0);
    said += daemon.output;
    expect((await bench.show(name)).refused).toEqual({});
    nothingShown(file);
  });
});

it('a running agent goes on when its key is sealed under it', async () => {
  const server = await bench.addServer('under-way');
  canary(server.key);
  const file = bench.configure('under-way', server.key, 'interval: 100ms\n');
  const daemon = new Running(AGENT, ['run', '--config', file], env);
  const before = await statusBecomes(file, ({ last_accepted }) => last_accepted !== null);
  expect(await agent(['encrypt-value', '--in-place', '--config', file])).toMatchObject({ status: 0 });
  const { key } = await statusBecomes(file, ({ state, config }) => state === 'running' && config.loaded !== before.config.loaded);
  expect(key.fingerprint).toBe(server.fingerprint);
  expect(await daemon.end()).toBe(0);
  said += daemon.output;
  expect((await bench.show('under-way')).refused).toEqual({});
  nothingShown(file);
});

describe('encrypt-value', () => {
  it('prints one token for what stdin holds, for any field, and never the value', async () => {
    const key = canary();
    const pem = canary(`-----BEGIN PRIVATE KEY-----\n${randomBytes(48).toString('base64')}\n-----END PRIVATE KEY-----`);
    for (const [field, text] of [
      ['api.key', key],
      ['api.private_key', pem],
      ['proxy', `http://u:${canary()}@h:1`],
    ] as const) {
      const done = await run(AGENT, ['encrypt-value', '--field', field], { env, input: `${text}\n` });
      expect(done.stdout).toMatch(/^enc:v1:hkdf:[0-9a-f]{8}:[0-9a-f]{8}:[\w-]+\n$/);
      said += done.stdout + done.stderr;
      // What is sealed stays as it is.
      expect((await run(AGENT, ['encrypt-value', '--field', field], { env, input: done.stdout })).stdout).toBe(done.stdout);
    }
    nothingShown();
  });

  it('takes no value from its arguments, no unknown field, and no empty value', async () => {
    expect((await agent(['encrypt-value', canary()])).status).toBe(64);
    expect((await agent(['encrypt-value', '--field', 'api.endpoint'], 'x')).status).toBe(64);
    expect((await agent(['encrypt-value'], '\n')).stderr).toContain('SEAL_VALUE_MISSING');
    expect(existsSync(hostKey)).toBe(false);
    nothingShown();
  });

  it('asks on a terminal without showing what is typed; a pasted PEM leaves nothing for the shell', async () => {
    const lines = ['-----BEGIN PRIVATE KEY-----', canary(), canary(), '-----END PRIVATE KEY-----'];
    const child = spawn(
      'script',
      ['-qec', 'scout-agent encrypt-value --field api.private_key; read -r left; echo "left:$left"', '/dev/null'],
      { env },
    );
    let screen = '';
    const shown = (text: string) =>
      new Promise<void>((resolve) => {
        const look = (chunk?: Buffer) => {
          screen += chunk ?? '';
          if (screen.includes(text)) resolve(void child.stdout.off('data', look));
        };
        child.stdout.on('data', look);
        look();
      });
    await shown('Value of api.private_key');
    child.stdin.write(`${lines.join('\r')}\r`);
    await shown('enc:v1:');
    child.stdin.write('nothing\r');
    await shown('left:nothing');
    child.stdin.end();
    said += screen;
    nothingShown();
  });

  it('with --in-place puts a value from stdin in the place of another', async () => {
    const file = bench.configure('given', canary());
    const key = canary();
    expect(await agent(['encrypt-value', '--in-place', '--config', file], `${key}\n`)).toMatchObject({ status: 0 });
    expect((await check(file)).print).toBe(fingerprint(key));
    // The same again changes nothing; another one does.
    const before = readFileSync(file, 'utf8');
    await agent(['encrypt-value', '--in-place', '--config', file], key);
    expect(readFileSync(file, 'utf8')).toBe(before);
    const next = canary();
    await agent(['encrypt-value', '--in-place', '--config', file], next);
    expect((await check(file)).print).toBe(fingerprint(next));
    // What can be no key, such as the rest of a script, does not take the place of one that works.
    const sealed = readFileSync(file, 'utf8');
    expect(await agent(['encrypt-value', '--in-place', '--config', file], 'systemctl restart scout-agent\necho done\n')).toMatchObject({
      status: 78,
      stderr: expect.stringContaining('KEY_WHITESPACE'),
    });
    expect(readFileSync(file, 'utf8')).toBe(sealed);
    nothingShown(file);
  });

  it('seals the other secrets of a configuration too', async () => {
    const [password, passphrase, other] = [canary(), canary(), canary()];
    const more = `proxy: http://me:${password}@127.0.0.1:9\ndestinations:\n  - {name: b, type: otlp, endpoint: 'https://b', auth: bearer, key: ${other}}\n`;
    const file = bench.configure('others', canary(), more);
    const lines = readFileSync(file, 'utf8').replace('tls:\n', `tls:\n  key_passphrase: '${passphrase}'\n`);
    writeFileSync(file, lines);
    for (const field of ['api.key', 'proxy', 'tls.key_passphrase', 'destinations[0].key'])
      expect(await agent(['encrypt-value', '--field', field, '--in-place', '--config', file])).toMatchObject({ status: 0 });
    expect(readFileSync(file, 'utf8').match(/enc:v1:/g)).toHaveLength(4);
    for (const secret of canaries) expect(readFileSync(file, 'utf8')).not.toContain(secret);
    expect((await check(file)).problems).toEqual([]);
    rmSync(hostKey);
    expect((await check(file)).problems.map(({ code }) => code)).toEqual(Array(4).fill('HOST_KEY_MISSING'));
    await agent(['config', 'show', '--config', file]);
    nothingShown(file);
  });
});

describe('each remedy works when it is typed', () => {
  const lose = () => rmSync(hostKey);
  const swap = (from: string | RegExp, to: string) => (file: string) => {
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(from);
    writeFileSync(file, text.replace(from, to));
  };
  it.each<[string, string, (file: string) => void]>([
    ['HOST_KEY_MISSING', 'the host key gone', lose],
    [
      'HOST_KEY_SIZE',
      'the host key cut',
      () => {
        chmodSync(hostKey, 0o600);
        writeFileSync(hostKey, 'short');
        chmodSync(hostKey, 0o400);
      },
    ],
    ['HOST_KEY_OPEN', 'the host key open', () => chmodSync(hostKey, 0o644)],
    ['SEALED_ELSEWHERE', 'a value of another host', swap(/hkdf:\w{8}/, 'hkdf:01234567')],
    ['SEALED_VERSION', 'a value of a later version', swap('enc:v1', 'enc:v7')],
    ['SEALED_MALFORMED', 'a value cut off', swap(/(enc:v1:hkdf:\w{8}:\w{8}:[\w-]{9})[\w-]+/, '$1')],
    ['SEALED_TAMPERED', 'a value with its end exchanged', swap(/(enc:.*)....$/m, '$1AAAA')],
    ['SEALED_FIELD', 'a value made for another setting', (file) => swap(/enc:.*/, spawnedToken())(file)],
  ])('%s: %s', async (code, _, spoil) => {
    const file = bench.configure(`remedy-${code}`, canary());
    await agent(['encrypt-value', '--in-place', '--config', file]);
    spoil(file);
    const { problems, status } = await check(file);
    expect(problems.map((one) => one.code)).toEqual([code]);
    expect(status).toBe(code === 'HOST_KEY_OPEN' ? 77 : 78);
    // Without a value to seal, the very reason comes back, and nothing is changed.
    const before = readFileSync(file, 'utf8');
    expect((await agent(['encrypt-value', '--in-place', '--config', file])).stderr).toContain(code);
    expect(readFileSync(file, 'utf8')).toBe(before);

    const key = canary();
    const command = /: ((rm|mv|chmod|scout-agent) .*)$/.exec(problems[0]?.remedy ?? '')?.[1] ?? '';
    expect(typed(command, key)).toBe(0);
    if (code !== 'HOST_KEY_OPEN') expect((await check(file)).print).toBe(fingerprint(key));
    expect((await check(file)).status).toBe(0);
    nothingShown(file);
  });

  function spawnedToken(): string {
    return spawnSync(process.execPath, [AGENT, 'encrypt-value', '--field', 'proxy'], {
      env,
      input: canary(),
      encoding: 'utf8',
    }).stdout.trim();
  }

  it.skipIf(process.getuid?.() !== 0)('SEALED_MACHINE: rewrap, where the machine id changed (needs root for a namespace)', async () => {
    const key = canary();
    const file = bench.configure('rewrap', key, `proxy: http://me:${canary()}@127.0.0.1:9\n`);
    for (const field of ['api.key', 'proxy']) await agent(['encrypt-value', '--in-place', '--field', field, '--config', file]);
    const before = readFileSync(file, 'utf8');
    const id = join(bench.folder, 'machine-id');
    writeFileSync(id, `${randomBytes(16).toString('hex')}\n`);
    const elsewhere = (command: string) =>
      spawnSync('unshare', ['-m', 'sh', '-c', `mount --bind '${id}' /etc/machine-id && ${command}`], { env, encoding: 'utf8' });
    const checking = `scout-agent --check-config --json --config '${file}'`;

    const found = JSON.parse(elsewhere(checking).stdout);
    expect(found.problems.map((one: { code: string }) => one.code)).toEqual(['SEALED_MACHINE', 'SEALED_MACHINE']);
    const remedy = /^Run: (.*)$/.exec(found.problems[0].remedy)?.[1] ?? '';
    const mended = elsewhere(remedy);
    expect({ status: mended.status, stderr: mended.stderr }).toEqual({ status: 0, stderr: '' });
    said += mended.stdout + JSON.stringify(found);
    const after = JSON.parse(elsewhere(checking).stdout);
    expect(after.ok).toBe(true);
    expect(after.values.find((one: { name: string }) => one.name === 'api.key').fingerprint).toBe(fingerprint(key));
    const blank = (text: string) => text.replaceAll(/enc:[\w:-]+/g, 'TOKEN');
    expect(blank(readFileSync(file, 'utf8'))).toBe(blank(before));
    nothingShown(file);

    // What no command can change is told as such.
    const token = (await run(AGENT, ['encrypt-value'], { env, input: canary() })).stdout.trim();
    const fromVariable = elsewhere(`SCOUT_API_KEY=${token} ${remedy}`);
    expect(fromVariable).toMatchObject({ status: 1, stderr: expect.stringMatching(/EDIT_REFUSED: `SCOUT_API_KEY` in the environment/) });
    said += fromVariable.stderr;

    // And back again: the record knows both.
    expect((await agent(['rewrap', '--config', file])).status).toBe(0);
    expect((await check(file)).status).toBe(0);
    expect((await agent(['rewrap', '--config', file])).stdout).toContain('Nothing to do');
    rmSync(join(hostKey, '../host.machines'));
    const sealed = readFileSync(file, 'utf8');
    expect(elsewhere(remedy).stderr).toContain('REWRAP_UNKNOWN');
    expect(readFileSync(file, 'utf8')).toBe(sealed);
  });
});
