import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const UNIT = readFileSync(fileURLToPath(new URL('../../systemd/scout-agent.service', import.meta.url)), 'utf8');
const settings = new Map(
  UNIT.split('\n')
    .filter((line) => /^[A-Z]\w*=/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
);
const analyzer = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('scout-agent.service', () => {
  it('starts the foreground agent and speaks with systemd', () => {
    expect(settings.get('ExecStart')).toBe('/usr/bin/scout-agent run');
    expect(settings.get('Type')).toBe('notify');
    // With another Node than the package's its notices come from a child.
    expect(settings.get('NotifyAccess')).toBe('all');
    expect(settings.get('User')).toBe('scout-agent');
  });

  it('has nothing that would kill Node or blind the collectors', () => {
    for (const name of ['ProcSubset', 'ProtectProc', 'PrivateNetwork']) expect(settings.has(name)).toBe(false);
    expect(UNIT).toContain('\nSystemCallFilter=@system-service @pkey\n');
    expect(settings.get('SystemCallErrorNumber')).toBe('EPERM');
    expect(settings.get('ProtectHome')).toBe('read-only');
  });

  it('denies executable memory only to a Node without compilers', () => {
    expect(settings.get('MemoryDenyWriteExecute')).toBe('yes');
    expect(UNIT).toContain('\nEnvironment=NODE_OPTIONS=--jitless\n');
    expect(settings.get('UnsetEnvironment')).not.toContain('NODE_OPTIONS');
  });

  it('hands over the host key, and starts where there is none', () => {
    expect(settings.get('LoadCredential')).toBe('host.key:/etc/scout-agent/host.key');
    expect(settings.get('SetCredential')).toBe('host.key:none');
  });

  it('does not start again and again what only a person can mend', () => {
    expect(settings.get('RestartPreventExitStatus')?.split(' ')).toEqual(['64', '77', '78']);
  });
});

describe.skipIf(!analyzer)('scout-agent.service, by systemd-analyze (absent: not a systemd host)', () => {
  let folder: string;
  let unit: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'unit-'));
    mkdirSync(join(folder, 'units'));
    unit = join(folder, 'units', 'scout-agent.service');
    // The program is not installed where this runs, and its manual page is no page of this host.
    writeFileSync(unit, UNIT.replace('/usr/bin/scout-agent run', '/bin/true').replace(/^Documentation=.*\n/m, ''));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });

  it('is a unit without a fault', () => {
    const done = analyze('verify', unit);
    expect(done.stderr.split('\n').filter((line) => line.includes('scout-agent'))).toEqual([]);
    expect(done.status).toBe(0);
  });

  it('exposes little', () => {
    const done = analyze('security', '--offline=true', '--threshold=15', '--no-pager', unit);
    expect(done.stderr).toBe('');
    expect(done.stdout).toMatch(/Overall exposure level for scout-agent.service: 1\.[0-5] OK/);
    expect(done.status).toBe(0);
  });
});
