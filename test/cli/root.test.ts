import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startedBySystemd } from '../../src/cli/agent/daemon.ts';

const PROGRAM = new URL('../../src/cli/agent.ts', import.meta.url).href;

function agent(...args: string[]) {
  const start = `const { main } = await import(${JSON.stringify(PROGRAM)}); await main(process.argv.slice(1));`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', start, '--', ...args], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, NO_COLOR: '1' },
  });
}

describe('scout-agent without a verb', () => {
  it('prints its help and fails, so that a script notices', () => {
    const done = agent();
    expect(done.status).toBe(64);
    expect(done.stderr).toContain('Usage: scout-agent');
    expect(done.stdout).toBe('');
  });

  it('has a command for help, as for any other', () => {
    const done = agent('help', 'status');
    expect({ status: done.status, stdout: done.stdout }).toEqual({
      status: 0,
      stdout: expect.stringContaining('Usage: scout-agent status'),
    });
  });

  it('prints its help on request', () => {
    const done = agent('--help');
    expect(done.status).toBe(0);
    for (const word of ['--check-config', '--daemon', 'status', 'stop', 'heartbeat', 'Example']) expect(done.stdout).toContain(word);
  });

  it.each([
    [['dance'], 'there is no command `dance`'],
    [['sttus'], 'did you mean `scout-agent status`?'],
    [['check-config'], 'did you mean `scout-agent --check-config`?'],
    [['--config', 'x.yml', 'status'], 'options stand after the command'],
    [['--daemon', '--check-config'], 'cannot be used with'],
    [['status', '--bogus'], "unknown option '--bogus'"],
    [['run', '--log-level', 'loud', '--help'], 'loud'],
    [['--online'], 'add --check-config'],
    [['--config', 'x.yml'], 'add --check-config'],
    [['status', '--state-dir', ''], "argument '' is invalid. It is empty."],
    [['resolve-config', 'extra'], '`run` takes options only, and no `extra`'],
  ])('refuses %j', (args, words) => {
    const done = agent(...args);
    expect(done.stderr).toContain(words);
    expect(done.status).toBe(64);
  });

  it.each(['run', 'stop', 'status', 'heartbeat', 'doctor', 'bundle', 'outbox', 'audit', 'config'])(
    'has help with an example for %s',
    (verb) => {
      const done = agent(verb, '--help');
      expect(done.status).toBe(0);
      expect(done.stdout).toMatch(/Example:\n {2}scout-agent/);
    },
  );
});

describe('startedBySystemd', () => {
  it('is so for the very process that systemd started', () => {
    expect(startedBySystemd({ SYSTEMD_EXEC_PID: '12' }, 12, 700)).toBe(true);
    expect(startedBySystemd({ INVOCATION_ID: 'x' }, 12, 1)).toBe(true);
    expect(startedBySystemd({ NOTIFY_SOCKET: '/run/n' }, 12, 1)).toBe(true);
  });

  it('is not so below a service, or below the first process of a container', () => {
    expect(startedBySystemd({ INVOCATION_ID: 'x', SYSTEMD_EXEC_PID: '7' }, 12, 700)).toBe(false);
    expect(startedBySystemd({}, 12, 1)).toBe(false);
  });
});

it.skipIf(process.platform === 'win32')('says that the working folder is gone', () => {
  const start = `process.chdir(process.argv[1]); await (await import('node:fs/promises')).rmdir(process.argv[1]);
    const { main } = await import(${JSON.stringify(PROGRAM)}); await main(['--check-config', '--config', 'a.yml']);`;
  const folder = mkdtempSync(join(tmpdir(), 'scout-gone-'));
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', start, '--', folder], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
  expect({ status: done.status, stderr: done.stderr }).toEqual({
    status: 64,
    stderr: expect.stringContaining('the working folder was deleted'),
  });
});

describe('a configuration that is not there', () => {
  it.each([['status'], ['stop'], ['heartbeat'], ['outbox', 'stats'], ['outbox', 'verify']])(
    'is what %s %s complains of, by its own status',
    (...verb) => {
      const done = agent(...verb, '--config', '/nowhere/a.yml');
      expect(done.stderr).toContain('CONFIG_MISSING_FILE');
      expect(done.status).toBe(78);
    },
  );
});
