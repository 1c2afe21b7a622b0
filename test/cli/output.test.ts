import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const PROGRAM = new URL('../../src/cli/agent.ts', import.meta.url).href;
const START = `const { main } = await import(${JSON.stringify(PROGRAM)}); await main(process.argv.slice(1));`;
const cwd = fileURLToPath(new URL('../..', import.meta.url));

describe('output that nobody takes', () => {
  it.each([['config', 'schema'], ['--help'], ['sample']])('ends %s quietly when its reader is gone', async (...args) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', START, '--', ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout?.destroy();
    let told = '';
    child.stderr?.on('data', (chunk) => {
      told += chunk;
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(told).toBe('');
  });

  it.each([{ FORCE_COLOR: '1' }, { FORCE_COLOR: '1', NO_COLOR: '1' }])('has no colours where it is no terminal, with %j', async (env) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', START, '--', 'sttus'], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH, ...env },
    });
    let told = '';
    child.stderr?.on('data', (chunk) => {
      told += chunk;
    });
    expect(await once(child, 'close')).toEqual([64, null]);
    expect(told).toMatch(/^error USAGE: [^\x1b]*$/);
  });

  it.runIf(process.platform === 'linux')('is an error when the disk is full', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, ['--input-type=module', '-e', START, '--', 'config', 'schema'], {
      cwd,
      stdio: ['ignore', full, 'pipe'],
    });
    let told = '';
    child.stderr?.on('data', (chunk) => {
      told += chunk;
    });
    expect((await once(child, 'close'))[0]).toBe(77);
    expect(told).toContain('FILE_UNWRITABLE');
    expect(told).not.toMatch(/^\s+at /m);
  });
});
