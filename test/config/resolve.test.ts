import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { PLACES } from '../../src/config/discover.ts';
import { exitOf, resolveConfig } from '../../src/config/resolve.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { freshKey, listed, Scratch, summary } from './scratch.ts';

const ENDPOINT = 'https://scout.example.com';

/** The same settings in each format, by the suffix of a file. */
function written(place: string, key: string): string {
  if (place.endsWith('.env')) return `SCOUT_API_KEY=${key}\nSCOUT_API_ENDPOINT=${ENDPOINT}\n`;
  if (place.endsWith('.toml')) return `[api]\nkey = "${key}"\nendpoint = "${ENDPOINT}"\n`;
  return `api:\n  key: ${key}\n  endpoint: ${ENDPOINT}\n`;
}

describe('discovery', () => {
  it.each(PLACES)('finds %s', (place) => {
    const scratch = new Scratch();
    const key = freshKey();
    const file = scratch.file(place, written(place, key));
    const found = resolveConfig({ env: {}, uid: 0, root: scratch.root });
    expect(summary(found)).toEqual([]);
    expect(found.file).toBe(file);
    expect(found.config?.api).toMatchObject({ key, endpoint: ENDPOINT, auth: 'api-key' });
    expect(found.watch).toContain(file);
  });

  it('takes the first in order, $SCOUT_CONFIG before all of them, and --config before that', () => {
    const scratch = new Scratch();
    const files = PLACES.map((place) => scratch.file(place, written(place, freshKey())));
    const options = { uid: 0, root: scratch.root };
    expect(resolveConfig({ ...options, env: {} }).file).toBe(files[0]);
    expect(resolveConfig({ ...options, env: { SCOUT_CONFIG: files[3] } }).file).toBe(files[3]);
    expect(resolveConfig({ ...options, env: { SCOUT_CONFIG: files[3] }, file: files[4]! }).file).toBe(files[4]);
  });

  it.skipIf(process.platform === 'win32')("takes a user's own last, and none of root's", () => {
    const scratch = new Scratch();
    const file = scratch.file('home/scout-agent/agent.env', written('agent.env', freshKey()));
    const options = { env: { XDG_CONFIG_HOME: path.join(scratch.root, 'home') }, root: scratch.root };
    expect(resolveConfig({ ...options, uid: 1000 }).file).toBe(file);
    expect(resolveConfig({ ...options, uid: 0 }).file).toBeNull();
    const system = scratch.file(PLACES.at(-1) as string, written('a.env', freshKey()));
    expect(resolveConfig({ ...options, uid: 1000 }).file).toBe(system);
  });

  it('is content with a key in the environment, and warns about it', () => {
    const found = resolveConfig({ env: { SCOUT_API_KEY: freshKey(), SCOUT_URL: ENDPOINT }, uid: 0, root: '/nowhere' });
    expect(found).toMatchObject({ ok: true, file: null });
    expect(summary(found)).toEqual(['(CONFIG_KEY_IN_ENVIRONMENT)']);
  });

  it('says where it looked when there is nothing', () => {
    const found = resolveConfig({ env: {}, uid: 0, root: '/nowhere' });
    expect(summary(found)).toEqual(['CONFIG_NOT_FOUND']);
    expect(exitOf(found.problems)).toBe(78);
  });

  it('names a file that is not there, and who named it', () => {
    const found = resolveConfig({ env: { SCOUT_CONFIG: '/nowhere/a.yml' }, uid: 0 });
    expect(found.problems).toMatchObject([{ code: 'CONFIG_MISSING_FILE', remedy: expect.stringContaining('SCOUT_CONFIG') }]);
  });

  it('wants a suffix that tells the format', () => {
    expect(summary(new Scratch().resolve('config.json', '{}'))).toEqual(['CONFIG_FORMAT_UNKNOWN 1:1']);
  });
});

describe('aliases', () => {
  it.each(['SCOUT_API_KEY', 'SCOUTAPIKEY', 'SERVERSCOUT_API_KEY', 'AGENT_KEY'])(
    'takes the key as %s from a file and from the environment',
    (name) => {
      const key = freshKey();
      const found = new Scratch().resolve('agent.env', `${name}=${key}\nSCOUT_ENDPOINT=${ENDPOINT}/\n`);
      expect(summary(found)).toEqual([]);
      expect(listed(found, 'api.key')).toEqual({
        name: 'api.key',
        value: '********',
        secret: true,
        fingerprint: fingerprint(key),
        source: { file: found.file, line: 1, column: name.length + 2 },
      });
      const bare = resolveConfig({ env: { [name]: key, SCOUT_API_BASE_URL: ENDPOINT }, uid: 0, root: '/nowhere' });
      expect(bare.config?.api).toMatchObject({ key, endpoint: ENDPOINT });
      expect(listed(bare, 'api.key')?.source).toEqual({ variable: name });
    },
  );

  it.each([
    ['agent.toml', (key: string) => `[agent]\napi_key = "${key}"\napi_base_url = "${ENDPOINT}"\n`, '2:11'],
    ['agent.yml', (key: string) => `agent:\n  api_key: ${key}\n  api_base_url: ${ENDPOINT}\n`, '2:12'],
    ['config.yml', (key: string) => `api:\n  key: ${key}\n  base_url: ${ENDPOINT}\n`, '2:8'],
    ['config.toml', (key: string) => `api.key = '${key}'\napi.url = '${ENDPOINT}'\n`, '1:11'],
  ])('reads %s', (name, text, place) => {
    const key = freshKey();
    const found = new Scratch().resolve(name, text(key));
    expect(found.problems).toEqual([]);
    expect(found.config?.api).toMatchObject({ key, endpoint: ENDPOINT });
    const [line, column] = place.split(':').map(Number);
    expect(listed(found, 'api.key')?.source).toEqual({ file: found.file, line, column });
  });

  it('takes opaque keys under the names of services that have them, hex elsewhere', () => {
    const opaque = 'agk_live-Zy9.w8v7u6t5';
    const scratch = new Scratch();
    expect(scratch.resolve('a.env', `AGENT_KEY=${opaque}\nSCOUT_URL=${ENDPOINT}`).ok).toBe(true);
    expect(scratch.resolve('a.toml', `[agent]\napi_key="${opaque}"\napi_base_url="${ENDPOINT}"`).ok).toBe(true);
    expect(scratch.resolve('b.yml', `api: { key: ${opaque}, endpoint: "${ENDPOINT}", auth: bearer }`).ok).toBe(true);
    expect(scratch.resolve('c.yml', `api: { key: ${opaque}, endpoint: "${ENDPOINT}", key_format: opaque }`).ok).toBe(true);
    expect(summary(scratch.resolve('d.yml', `api:\n  key: ${opaque}\n  endpoint: ${ENDPOINT}`))).toEqual([
      'KEY_LENGTH 2:8',
      'KEY_CHARACTER 2:8',
    ]);
    expect(summary(scratch.resolve('e.env', 'AGENT_KEY=abc\nSCOUT_URL=https://x'))).toEqual(['KEY_SHORT 1:11']);
  });

  it('refuses two aliases that differ, naming both places; equal ones are fine', () => {
    const key = freshKey();
    const scratch = new Scratch();
    const rest = `SCOUT_URL=${ENDPOINT}\n`;
    const found = scratch.resolve('a.env', `${rest}SCOUT_API_KEY=${key}\nAGENT_KEY=${freshKey()}\n`);
    expect(found.problems).toMatchObject([{ code: 'CONFIG_DUPLICATE', line: 3, column: 1, message: expect.stringContaining('a.env:2:1') }]);
    expect(scratch.resolve('b.env', `${rest}SCOUT_API_KEY=${key}\nAGENT_KEY=${key}\n`).ok).toBe(true);
    const two = resolveConfig({ env: { SCOUT_API_KEY: key, AGENT_KEY: freshKey() }, uid: 0, root: '/nowhere' });
    expect(two.problems.map((one) => one.message)).toContain('`AGENT_KEY` and `SCOUT_API_KEY` exclude each other');
  });
});

describe('precedence', () => {
  it('is: command line, environment, conf.d in name order, file', () => {
    const scratch = new Scratch();
    scratch.file('conf.d/20.toml', 'interval = 20\n[log]\nformat = "json"\n');
    scratch.file('conf.d/10.yml', 'interval: 11\ncollectors: { cpu: { per_core: false } }\n');
    scratch.file('conf.d/30.env', 'SCOUT_OUTBOX_MAX_BYTES=1MiB\n');
    scratch.file('conf.d/.hidden.yml', 'nonsense: 1\n');
    scratch.file('conf.d/old.yml.bak', 'nonsense: 1\n');
    const file = `api: { key: ${freshKey()}, endpoint: "${ENDPOINT}" }\ninterval: 5\ncollectors: { cpu: true, load: false }\nlog: { level: warn }\nstate_dir: state\n`;
    const found = scratch.resolve('config.yml', file, { env: { SCOUT_LOG_LEVEL: 'debug' }, overrides: { state_dir: '/elsewhere' } });
    expect(summary(found)).toEqual(['(CONFIG_OVERRIDDEN 4:8)']);
    expect(found.config).toMatchObject({
      interval: 20_000,
      collectors: { cpu: { enabled: true, per_core: false }, load: { enabled: false } },
      log: { level: 'debug', format: 'json' },
      outbox: { max_bytes: 2 ** 20 },
      state_dir: '/elsewhere',
    });
    expect(listed(found, 'interval')?.source).toMatchObject({ line: 1, column: 12 });
    expect(listed(found, 'log.level')?.source).toEqual({ variable: 'SCOUT_LOG_LEVEL' });
    expect(listed(found, 'state_dir')?.source).toEqual({ option: '--state-dir' });
    expect(found.watch).toEqual(
      ['config.yml', 'conf.d', 'conf.d/10.yml', 'conf.d/20.toml', 'conf.d/30.env'].map((name) => path.join(scratch.root, name)),
    );
  });

  it('takes paths relative to the file that holds them', () => {
    const scratch = new Scratch();
    scratch.file('etc/key', `${freshKey()}\n`);
    const found = scratch.resolve('etc/config.toml', `state_dir = "../state"\n[api]\nkey_file = "key"\nendpoint = "${ENDPOINT}"\n`);
    expect(found.problems).toEqual([]);
    expect(found.config?.state_dir).toBe(path.join(scratch.root, 'state'));
    expect(found.watch).toContain(path.join(scratch.root, 'etc/key'));
    expect(listed(found, 'api.key')?.source).toEqual({ file: path.join(scratch.root, 'etc/key'), line: 1, column: 1 });
  });

  it('lets a key of the environment win over api.key_file of the file', () => {
    const key = freshKey();
    const found = new Scratch().resolve('a.yml', `api: { key_file: /nowhere, endpoint: "${ENDPOINT}" }`, { env: { SCOUT_API_KEY: key } });
    expect(found.config?.api.key).toBe(key);
  });

  it.each([
    [0, {}, '/var/lib/scout-agent', '/run/scout-agent'],
    [0, { STATE_DIRECTORY: '/s:/t', RUNTIME_DIRECTORY: '/r' }, '/s', '/r'],
    [1000, { HOME: '/home/u' }, '/home/u/.local/state/scout-agent', '/home/u/.local/state/scout-agent/run'],
    [1000, { HOME: '/home/u', XDG_STATE_HOME: '/x', XDG_RUNTIME_DIR: '/run/user/1000' }, '/x/scout-agent', '/run/user/1000/scout-agent'],
  ])('gives uid %i with %j its folders', (uid, env, state_dir, runtime_dir) => {
    const found = new Scratch().resolve('a.env', `SCOUT_API_KEY=${freshKey()}\n`, { uid, env });
    expect(found.config).toMatchObject({ state_dir, runtime_dir });
  });
});
