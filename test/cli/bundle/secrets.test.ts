import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { knownSecrets, wordsOf } from '../../../src/cli/bundle/secrets.ts';
import { sealHere } from '../../../src/secrets/seal.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'scout-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));
// With a digit in any case: a name that is only letters reads like a word.
const fresh = () => `Op-7${randomBytes(12).toString('base64url')}`;

/** What is found with this configuration; `env` is the environment of the command. */
async function known(name: string, content: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(folder, name);
  writeFileSync(file, content, { mode: 0o600 });
  const resolving = { file, env: { HOME: folder, ...env }, uid: 1 };
  const found = await knownSecrets({ resolving, file, state: join(folder, 'state'), pid: async () => undefined });
  return { texts: found.secrets.map(String), failed: found.failed };
}

describe('the secrets of a configuration', () => {
  it.each([
    ['good.yml', (key: string) => `api:\n  key: ${key}\n`],
    ['broken.yml', (key: string) => `api:\n key: "${key}\n  x: [\n`],
    ['list.yml', (key: string) => `destinations:\n  - name: a\n    key: ${key} # old\n`],
    ['broken.toml', (key: string) => `[api]\nkey = '${key}'\nkey = \n`],
    ['old.env', (key: string) => `# SCOUT_API_KEY=${key}\n`],
    ['export.env', (key: string) => `export AGENT_KEY="${key}"\n`],
    ['misplaced.yml', (key: string) => `api:\n  endpoint: https://x.example/?q=${key}\n`],
    ['proxy.yml', (key: string) => `proxy: http://me:${key}@proxy:1\n`],
    ['name.yml', (key: string) => `${key}: true\n`],
  ])('%s', async (name, text) => {
    const key = fresh();
    const { texts } = await known(name, text(key));
    expect(texts.some((one) => one.includes(key))).toBe(true);
  });

  it('are in the files that it names', async () => {
    const key = fresh();
    writeFileSync(join(folder, 'the-key'), `${key}\n`, { mode: 0o600 });
    expect((await known('named.yml', 'api:\n  key_file: the-key\n  x: [\n')).texts).toContain(key);
  });

  it('are in conf.d, keyring, host key, environment and credentials', async () => {
    const [inFolder, kept, variable, credential, proxy] = [fresh(), fresh(), fresh(), fresh(), fresh()];
    mkdirSync(join(folder, 'conf.d'), { recursive: true });
    mkdirSync(join(folder, 'state'), { recursive: true });
    mkdirSync(join(folder, 'credentials'), { recursive: true });
    writeFileSync(join(folder, 'conf.d/more.yml'), `api: {key: ${inFolder}}\n`);
    writeFileSync(
      join(folder, 'state/keyring.json'),
      JSON.stringify({ quarantine: [{ values: { 'api.key': kept, 'api.credential_id': 'plain-name' } }] }),
    );
    writeFileSync(join(folder, 'credentials/api-key'), `${credential}\n`);
    const hostKey = randomBytes(32);
    writeFileSync(join(folder, 'host.key'), hostKey, { mode: 0o400 });
    const env = {
      OTHER_TOKEN: variable,
      https_proxy: `http://me:${proxy}@x:1`,
      CREDENTIALS_DIRECTORY: join(folder, 'credentials'),
      SCOUT_HOST_KEY_FILE: join(folder, 'host.key'),
      SSH_KEY_FILE: '/home/me/.ssh/id',
    };
    const { texts, failed } = await known('main.yml', 'interval: 10s\n', env);
    expect(texts).toEqual(expect.arrayContaining([inFolder, kept, variable, credential, proxy, String(hostKey)]));
    expect(texts).not.toContain('plain-name');
    expect(texts).not.toContain('/home/me/.ssh/id');
    expect(failed).toEqual([]);
  });

  it('of a damaged keyring are its words, which are nowhere repeated', async () => {
    const key = randomBytes(32).toString('hex');
    mkdirSync(join(folder, 'state'), { recursive: true });
    writeFileSync(join(folder, 'state/keyring.json'), `{"values": {"api.key": "${key}", `);
    const { texts, failed } = await known('damaged.yml', 'interval: 10s\n');
    expect(texts).toContain(key);
    expect(failed.join()).not.toContain(key);
  });

  it('are behind sealed values, also where the rest is not valid', async () => {
    const key = fresh();
    const env = { SCOUT_HOST_KEY_FILE: join(folder, 'sealing.key') };
    const made = sealHere('api.key', key, { env: { HOME: folder, ...env }, uid: 1 });
    const token = 'token' in made ? made.token : '';
    expect(token).toMatch(/^enc:/);
    expect((await known('sealed.yml', `api:\n  key: ${token}\ninterval: never\n`, env)).texts).toContain(key);
  });

  it('are no ordinary words', () => {
    const { words } = wordsOf(
      'api:\n  endpoint: https://scout.example.com:8443/path\n  key_format: hex64\n  credential_id: web-frontend\n  auth: bearer\ninterval: 10s\nstate_dir: /var/lib/scout-agent\n',
      '/etc',
    );
    expect(words).toEqual([]);
  });
});
