import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/*
 * The front door, as a newcomer meets it: an empty clone of HEAD, the machine's own Node (20 or newer) and npm, and
 * nothing else. Everything that npm set for the run of these tests is taken out of the environment first.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(os.tmpdir(), 'scout-clone-'));
const clone = join(folder, 'scout-agent');

const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE|INIT_CWD|VITEST|CI$)/.test(name)));
env.PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((part) => !part.includes('node_modules'))
  .join(delimiter);

interface Done {
  status: number;
  stdout: string;
  stderr: string;
}

function command(name: string, args: string[], cwd = clone): Promise<Done> {
  return new Promise((resolve) => {
    execFile(name, args, { cwd, env, encoding: 'utf8', maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code ?? 255) : 0, stdout, stderr });
    });
  });
}

describe('an empty clone', { timeout: 300_000 }, () => {
  let started: Done;
  beforeAll(async () => {
    expect(await command('git', ['clone', '--quiet', root, clone], folder)).toMatchObject({ status: 0 });
    started = await command('npm', ['run', 'quickstart']);
  }, 300_000);
  afterAll(async () => {
    await command('npm', ['run', 'quickstart:stop']);
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs hub and agent after `npm run quickstart`, and says where to look', () => {
    expect(started, started.stderr).toMatchObject({ status: 0 });
    expect(started.stdout).toMatch(/fleet page\s+https:\/\/127\.0\.0\.1:\d+\//);
    expect(started.stdout).toMatch(/fingerprint [0-9a-f]{12}/);
    expect(started.stdout).toContain('npm run quickstart:stop');
  });

  it('shows no key, and keeps it where only its owner reads it', () => {
    const config = join(clone, '.quickstart/config.yml');
    const key = /key: ([0-9a-f]{64})/.exec(readFileSync(config, 'utf8'))?.[1] as string;
    expect(key).toHaveLength(64);
    expect(started.stdout + started.stderr).not.toContain(key);
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(statSync(join(clone, '.quickstart')).mode & 0o777).toBe(0o700);
  });

  it('answers to the machine’s own Node, whatever its version', async () => {
    const asked = await command('node', ['bin/scout-agent.js', 'status', '--json', '--config', '.quickstart/config.yml']);
    expect(asked, asked.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(asked.stdout)).toMatchObject({ state: 'running', outbox: { durable: true, losses: [] } });
    const checked = await command('node', [
      'bin/scout-agent.js',
      '--check-config',
      '--online',
      '--json',
      '--config',
      '.quickstart/config.yml',
    ]);
    expect(JSON.parse(checked.stdout)).toMatchObject({ ok: true, online: { ok: true } });
  });

  it('picks up where it was when run again', async () => {
    const again = await command('npm', ['run', 'quickstart']);
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(again.stdout).toContain('scout-hub runs already');
    expect(again.stdout).toContain('scout-agent runs already');
  });

  it('ends with `npm run quickstart:stop`, and starts once more with the same key', async () => {
    const stopped = await command('npm', ['run', 'quickstart:stop']);
    expect(stopped, stopped.stderr).toMatchObject({ status: 0 });
    expect(stopped.stdout).toContain('scout-agent stopped');
    expect(stopped.stdout).toContain('scout-hub stopped');
    const again = await command('npm', ['run', 'quickstart']);
    expect(again, again.stderr).toMatchObject({ status: 0 });
    const fingerprint = (text: string) => /key\s+fingerprint ([0-9a-f]{12})/.exec(text)?.[1];
    expect(fingerprint(again.stdout)).toBe(fingerprint(started.stdout));
  });
});
