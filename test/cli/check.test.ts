import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { freshKey, Scratch } from '../config/scratch.ts';

const PROGRAM = new URL('../../src/cli/agent.ts', import.meta.url).href;
const PLAIN = { PATH: process.env.PATH, HOME: '/nonexistent', NO_COLOR: '1' };

function agent(args: string[], env: NodeJS.ProcessEnv = {}) {
  const start = `const { main } = await import(${JSON.stringify(PROGRAM)}); await main(process.argv.slice(1));`;
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', start, '--', ...args], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...PLAIN, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  return { ...done, answer: String(done.output[3] ?? '') };
}

const good = (key: string) => `api:\n  key: ${key}\n  endpoint: https://scout.example.com\n`;

describe('--check-config', () => {
  it('prints one JSON document: values with origin, the key masked', () => {
    const key = freshKey();
    const file = new Scratch().file('a.yml', good(key));
    const done = agent(['--check-config', '--json', '--config', file]);
    expect(done.status).toBe(0);
    const told = JSON.parse(done.stdout);
    expect(Object.keys(told)).toEqual(['ok', 'file', 'values', 'problems']);
    expect(told).toMatchObject({ ok: true, file, problems: [] });
    expect(told.values).toContainEqual({
      name: 'api.key',
      value: '********',
      secret: true,
      fingerprint: fingerprint(key),
      source: { file, line: 2, column: 8 },
    });
    expect(told.values).toContainEqual({ name: 'interval', value: '10s', secret: false, source: 'default' });
    expect(done.stdout + done.stderr).not.toContain(key);
  });

  it('tells people the same, with a verdict', () => {
    const key = freshKey();
    const file = new Scratch().file('a.yml', good(key));
    const done = agent(['--check-config', '--config', file]);
    expect(done.stdout).toMatch(new RegExp(`api\\.key +\\*{8} \\(fingerprint ${fingerprint(key)}\\) +${file}:2:8`));
    expect(done.stdout.trimEnd().split('\n').at(-1)).toBe('Valid.');
    expect(done.stdout).not.toContain(key);
  });

  it('gives every fault with its place, its remedy and the status that fits', () => {
    const scratch = new Scratch();
    const wrong = agent(['--check-config', '--config', scratch.file('a.yml', 'api:\n  key: changeme\ninterval: 1ms\n')]);
    expect(wrong.status).toBe(78);
    expect(wrong.stdout).toContain(`${path.join(scratch.root, 'a.yml')}:2:8: error KEY_PLACEHOLDER: `);
    expect(wrong.stdout.trimEnd()).toMatch(/Not valid: 2 errors, 1 warning\.$/);
    const open = scratch.file('b.yml', good(freshKey()));
    chmodSync(open, 0o644);
    const refused = agent(['--check-config', '--json', '--config', open]);
    expect(refused.status).toBe(77);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      ok: false,
      problems: [{ code: 'CONFIG_PERMISSIONS', file: open, remedy: `Run: chmod 0640 ${open}` }],
    });
  });

  it('says with --online why the service cannot be reached', () => {
    const file = new Scratch().file('a.yml', good(freshKey()).replace('scout.example.com', '127.0.0.1:1'));
    const done = agent(['--check-config', '--online', '--json', '--config', file]);
    expect(done.status).toBe(69);
    expect(JSON.parse(done.stdout)).toMatchObject({ ok: false, online: { ok: false, steps: [{ name: 'tcp', ok: false }] } });
  });
});

describe('config', () => {
  it('show lists the effective configuration, masked', () => {
    const key = freshKey();
    const file = new Scratch().file('a.yml', good(key));
    const done = agent(['config', 'show', '--json'], { SCOUT_CONFIG: file });
    expect(done.status).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ file });
    expect(done.stdout).not.toContain(key);
    expect(agent(['config', 'show'], { SCOUT_CONFIG: file }).stdout).toContain('collectors.cpu.enabled');
  });

  it('schema prints a JSON Schema with a description for every setting', () => {
    const schema = JSON.parse(agent(['config', 'schema']).stdout);
    expect(schema.properties.interval).toMatchObject({ description: expect.any(String), default: '10s' });
    expect(schema.properties.collectors.properties.cpu.type).toEqual(['object', 'boolean']);
    expect(schema.additionalProperties).toBe(false);
    // A file may name any of them and none.
    expect(schema.required).toBeUndefined();
    for (const section of Object.values<{ required?: string[] }>(schema.properties)) expect(section.required).toBeUndefined();
    expect(schema.properties.destinations.items.required).toEqual(['name', 'type', 'endpoint']);
    expect(JSON.stringify(schema)).not.toMatch(/"(secret|expected|written)":/);
  });
});

describe('resolve-config', () => {
  it('hands the daemon the configuration over descriptor 3, and prints nothing', () => {
    const key = freshKey();
    const file = new Scratch().file('a.yml', good(key));
    const done = agent([
      'resolve-config',
      '--config',
      file,
      '--state-dir',
      '/s',
      '--runtime-dir',
      '/r',
      '--log-level',
      'debug',
      '--log-file',
      '/l',
    ]);
    expect(done).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(JSON.parse(done.answer)).toMatchObject({
      file,
      config: { api: { key }, state_dir: '/s', runtime_dir: '/r', log: { level: 'debug', file: '/l' } },
      problems: [],
      watch: [file, '/s/keyring.json'],
      loaded_at: expect.any(String),
    });
  });

  it('hands over the problems alone when there are errors', () => {
    const done = agent(['resolve-config', '--config', '/nowhere/a.yml']);
    expect(done).toMatchObject({ status: 78, stdout: '', stderr: '' });
    expect(Object.keys(JSON.parse(done.answer))).toEqual(['file', 'problems', 'watch']);
  });

  it('fails on wrong usage', () => {
    const done = agent(['resolve-config', '--bogus']);
    expect(done.status).toBe(64);
    expect(done.stderr).toContain('--bogus');
  });
});
