import { type ChildProcess, execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createToken, listTokens } from '../../src/hub/enrol/tokens.ts';
import { addServer, listKeys } from '../../src/hub/servers.ts';
import { authorityPrint } from '../../src/hub/tls/own.ts';
import { AGENT, Bench, type Done, run } from '../helpers/programs.ts';
import { TestHub, tempFolder } from '../hub/helpers.ts';

const HOUR = 3_600_000;
let hub: TestHub;
let folder: ReturnType<typeof tempFolder>;
let config: string;
/** Without a host key, unless a test says otherwise, and without settings of whoever runs the tests. */
let env: NodeJS.ProcessEnv;
let child: ChildProcess | undefined;
beforeEach(async () => {
  hub = await new TestHub().start();
  folder = tempFolder();
  config = join(folder.path, 'agent', 'config.yml');
  const { SCOUT_CONFIG: _config, SCOUT_API_KEY: _key, ...rest } = process.env;
  env = { ...rest, SCOUT_HOST_KEY_FILE: join(folder.path, 'host.key') };
});
afterEach(async () => {
  await hub.close();
  folder.remove();
});

const endpoint = () => `https://127.0.0.1:${hub.serving.port}`;
const token = async (server = 'new-1', { authority = authorityPrint(hub.folder.path), lifeMs = HOUR } = {}) =>
  (await createToken(hub.registry, { server, policy: 'grace', graceMs: HOUR, lifeMs, authority })).token;

/** The command, which a test may kill meanwhile. */
function enroll(input: string, ...more: string[]): Promise<Done> {
  return new Promise((resolve) => {
    child = execFile(process.execPath, [AGENT, 'enroll', endpoint(), '--config', config, ...more], { env }, (error, stdout, stderr) => {
      const status = error ? (typeof error.code === 'number' ? error.code : 255) : 0;
      resolve({ status, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}
const check = async () => JSON.parse((await run(AGENT, ['--check-config', '--online', '--json', '--config', config], { env })).stdout);
const keyIn = () => /[0-9a-f]{64}/.exec(readFileSync(config, 'utf8'))?.[0] as string;
const files = () => readdirSync(join(folder.path, 'agent')).sort();

describe('enroll', () => {
  it('goes from a token to a first heartbeat in two commands, with real programs', async () => {
    const bench = new Bench();
    try {
      await bench.startHub();
      const made = JSON.parse(await bench.hubCommand(['token', 'create', '--server', 'web-1', '--json']));
      const path = join(bench.folder, 'web-1', 'config.yml');
      const state = join(bench.folder, 'web-1-state');
      const done = await run(AGENT, ['enroll', bench.endpoint, '--config', path], { input: `${made.token}\n`, env });
      expect(done).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('Enrolled at') });
      expect(done.stdout).toContain(`Next: scout-agent --daemon --config ${path}`);
      const folders = ['--config', path, '--state-dir', state, '--runtime-dir', join(state, 'run')];
      const started = await run(AGENT, ['--daemon', ...folders], { env });
      expect(started).toMatchObject({ status: 0, stdout: expect.stringContaining('first heartbeat accepted') });
      expect((await run(AGENT, ['stop', ...folders], { env })).status).toBe(0);
      expect(await bench.show('web-1')).toMatchObject({ instances: [{ first_sequence: 1, gaps: [] }], refused: {} });
    } finally {
      await bench.close();
    }
  });

  it.each(['yaml', 'toml', 'env'] as const)('writes %s that others may not read, with the authority beside it', async (format) => {
    config = join(folder.path, 'agent', { yaml: 'config.yml', toml: 'config.toml', env: 'agent.env' }[format]);
    const done = await enroll(await token(), '--format', format, '--name', 'a "b" $c', '--json');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    const told = JSON.parse(done.stdout);
    expect(told).toMatchObject({
      name: 'new-1',
      policy: 'grace',
      config,
      sealed: false,
      service_id: hub.serving.hub.serviceId,
      aside: null,
    });
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(readFileSync(told.ca_file, 'utf8').trim()).toBe(hub.ca.trim());
    expect(files()).toHaveLength(2);
    const checked = await check();
    expect(checked).toMatchObject({ ok: true, problems: [], online: { ok: true, fingerprint: told.fingerprint } });
    expect(checked.values).toContainEqual(expect.objectContaining({ name: 'host_name', value: 'a "b" $c' }));
    expect(done.stdout + done.stderr).not.toContain(keyIn());
    expect((await hub.serving.hub.store.auditTrail('default', 1, 99)).at(-1)).toMatchObject({ detail: { host: 'a "b" $c' } });
  });

  it('seals the key where there is a host key', async () => {
    writeFileSync(env.SCOUT_HOST_KEY_FILE as string, randomBytes(32), { mode: 0o400 });
    const done = await enroll(await token(), '--json');
    expect(JSON.parse(done.stdout)).toMatchObject({ sealed: true });
    expect(readFileSync(config, 'utf8')).toMatch(/key: "enc:v1:/);
    expect(await check()).toMatchObject({ ok: true });
  });

  it('takes a named authority, and copies it to where the agent may read it', async () => {
    const ca = join(folder.path, 'their-ca.pem');
    writeFileSync(ca, hub.ca, { mode: 0o600 });
    expect((await enroll(await token('new-1', { authority: null }))).stderr).toContain('SERVICE_TLS');
    const done = await enroll(await token('new-1', { authority: null }), '--ca', ca);
    expect(done).toMatchObject({ status: 0 });
    expect(files()).toEqual([expect.stringMatching(/^ca-[0-9a-f]{12}\.pem$/), 'config.yml']);
    expect(await check()).toMatchObject({ ok: true });
  });

  it('says nothing to a service that is not the one of the token', async () => {
    const done = await enroll(await token('new-1', { authority: randomBytes(32).toString('hex') }));
    expect(done).toMatchObject({ status: 69, stdout: '', stderr: expect.stringContaining('ENROLL_AUTHORITY') });
    expect(await listTokens(hub.registry)).toMatchObject([{ state: 'open' }]);
    expect(files()).toEqual([]);
  });
});

describe('enroll refuses', () => {
  it.each([
    ['nothing on stdin', '', 64, 'stdin was empty'],
    ['what is no token', 'hunter2hunter2', 64, 'no token'],
    ['a token that nobody gave out', `enroll1_${randomBytes(32).toString('base64url')}`, 77, 'ENROLL_REFUSED'],
  ])('%s, and leaves nothing behind', async (_, text, status, said) => {
    const ca = join(hub.folder.path, 'ca.pem');
    const done = await enroll(text, '--ca', ca);
    expect(done).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(said) });
    if (text !== '') expect(done.stderr).not.toContain(text);
    expect(existsSync(join(folder.path, 'agent')) ? files() : []).toEqual([]);
  });

  it.each([
    ['http://example.com', [], 78, 'ENDPOINT_PLAIN_HTTP'],
    ['scout.example.com', [], 78, 'https://'],
    ['https://127.0.0.1:1', ['--format', 'ini'], 64, '--format ini'],
    ['https://127.0.0.1:1', ['--format', 'toml', '--config', '/tmp/none/config.yml'], 64, 'does not go with'],
    ['https://127.0.0.1:1', ['--config', '/tmp/none/config.txt'], 78, 'CONFIG_FORMAT_UNKNOWN'],
  ])('%s %j', async (url, args, status, said) => {
    const done = await run(AGENT, ['enroll', url, ...args], { env, input: await token() });
    expect(done).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(said) });
  });

  it('a host that has a key, unless forced; then the old configuration is set aside', async () => {
    mkdirSync(join(folder.path, 'agent'));
    const old = `api:\n  key: ${hub.server.key}\n  endpoint: ${endpoint()}\n`;
    writeFileSync(config, old, { mode: 0o600 });
    const text = await token();
    const done = await enroll(text);
    expect(done).toMatchObject({ status: 1, stderr: expect.stringContaining(`ENROLL_CONFIGURED`) });
    expect(done.stderr).toContain(hub.server.fingerprint);
    expect(readFileSync(config, 'utf8')).toBe(old);
    expect(await listTokens(hub.registry)).toMatchObject([{ state: 'open' }]);
    const forced = await enroll(text, '--force');
    expect(forced).toMatchObject({ status: 0, stdout: expect.stringContaining(`${config}.before-enroll`) });
    expect(readFileSync(`${config}.before-enroll`, 'utf8')).toBe(old);
    expect(await check()).toMatchObject({ ok: true });
  });

  it('a key in the environment, which would win', async () => {
    env.SCOUT_API_KEY = randomBytes(32).toString('hex');
    const done = await enroll(await token());
    expect(done).toMatchObject({ status: 78, stderr: expect.stringContaining('the variable SCOUT_API_KEY') });
    expect(files()).toEqual([]);
    expect(await listTokens(hub.registry)).toMatchObject([{ state: 'open' }]);
  });
});

describe('a configuration without a key', () => {
  it.each([
    ['settings alone', 'interval: 7s\nlog:\n  level: warn\n'],
    ['the placeholder of an example', 'interval: 7s\napi:\n  key: your-api-key-here\n'],
  ])('(%s) is completed in conf.d, and left as it was', async (_, text) => {
    mkdirSync(join(folder.path, 'agent'));
    writeFileSync(config, text, { mode: 0o600 });
    const done = await enroll(await token(), '--json');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(done.stdout).config).toBe(join(folder.path, 'agent', 'conf.d', 'enrolled.yml'));
    expect(readFileSync(config, 'utf8')).toBe(text);
    const checked = await check();
    expect(checked).toMatchObject({ ok: true });
    expect(checked.values).toContainEqual(expect.objectContaining({ name: 'interval', value: '7s' }));
    expect((await enroll(await token('x'))).stderr).toContain('conf.d/enrolled.yml');
  });
});

describe('an enrolment that is cut short goes on with the same command', () => {
  /** Kills the command at a moment of its talk with the hub; in the order in which they come. */
  const moments = ['authority', 'before enroll', 'after enroll', 'whoami', 'control'] as const;
  function killAt(moment: (typeof moments)[number]): void {
    const { hub: inner } = hub.serving;
    const { store } = inner;
    const authority = inner.authority;
    const kill = () => void child?.kill('SIGKILL');
    const killing =
      <Args extends unknown[], T>(work: (...args: Args) => T) =>
      (...args: Args): T => {
        kill();
        return work(...args);
      };
    if (moment === 'authority') inner.authority = killing(() => authority?.());
    const [enrolled, find, ended] = [store.enroll.bind(store), store.findKey.bind(store), store.endedKey.bind(store)];
    if (moment.endsWith('enroll'))
      store.enroll = async (...args) => {
        if (moment === 'before enroll') {
          kill();
          return;
        }
        await enrolled(...args);
        kill();
      };
    if (moment === 'whoami') store.findKey = killing(find);
    if (moment === 'control') store.endedKey = killing(ended);
    mend = () => Object.assign(store, { enroll: enrolled, findKey: find, endedKey: ended }) && Object.assign(inner, { authority });
  }
  let mend = () => {};

  it.each(moments)('killed at: %s', async (moment) => {
    const text = await token();
    killAt(moment);
    expect((await enroll(text)).status).toBe(255);
    expect(existsSync(config)).toBe(false);
    mend();
    const done = await enroll(text, '--json');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    const keys = await listKeys(hub.registry, 'new-1');
    expect(keys.map(({ fingerprint }) => fingerprint)).toEqual([JSON.parse(done.stdout).fingerprint]);
    expect(files()).toEqual([expect.stringMatching(/^ca-/), 'config.yml']);
    expect(await check()).toMatchObject({ ok: true });
  });

  it('after its answer was lost, also when the token has expired by then', async () => {
    const text = await token('new-1', { lifeMs: 60_000 });
    killAt('after enroll');
    await enroll(text);
    mend();
    const { hub: inner } = hub.serving;
    inner.now = () => Date.now() + 120_000;
    expect(await enroll(text)).toMatchObject({ status: 0 });
    expect(await listKeys(hub.registry, 'new-1')).toHaveLength(1);
  });

  it('killed between the last two steps', async () => {
    const text = await token();
    expect((await enroll(text)).status).toBe(0);
    linkSync(config, join(folder.path, 'agent', '.config.enrolling.yml'));
    expect(await enroll(text)).toMatchObject({ status: 0, stdout: expect.stringContaining('Enrolled') });
    expect(files()).toEqual([expect.stringMatching(/^ca-/), 'config.yml']);
    expect(await enroll(text)).toMatchObject({ status: 1, stderr: expect.stringContaining('ENROLL_CONFIGURED') });
  });

  it('brings a server that there is a new key, and keeps its policy', async () => {
    await addServer(hub.registry, 'there', 'immediate', 0);
    expect(JSON.parse((await enroll(await token('there'), '--json')).stdout)).toMatchObject({ policy: 'immediate' });
    expect(await listKeys(hub.registry, 'there')).toHaveLength(1);
  });
});
