import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const text = (name: string) => readFileSync(fileURLToPath(new URL(`../../systemd/${name}`, import.meta.url)), 'utf8');
const SERVICE = text('scout-agent-rotate.service');
const TIMER = text('scout-agent-rotate.timer');
const analyzer = spawnSync('systemd-analyze', ['--version']).status === 0;

function settingsOf(unit: string): Map<string, string> {
  const lines = unit.split('\n').filter((line) => /^[A-Z]\w*=/.test(line));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

describe('scout-agent-rotate.service', () => {
  const settings = settingsOf(SERVICE);

  it('replaces a key that is old, as root, once', () => {
    expect(settings.get('ExecStart')).toBe('/usr/bin/scout-agent rotate --if-older-than 90d');
    expect(settings.get('Type')).toBe('oneshot');
    expect(settings.has('User')).toBe(false);
    // Another rotation under way is no failure.
    expect(settings.get('SuccessExitStatus')).toBe('75');
    expect(settings.get('LimitCORE')).toBe('0');
  });

  it('may write where the key stands, and keep its owner', () => {
    expect(settings.get('ReadWritePaths')?.split(' ')).toEqual(expect.arrayContaining(['-/etc/scout-agent', '-/var/lib/scout-agent']));
    expect(settings.get('CapabilityBoundingSet')?.split(' ')).toEqual([
      'CAP_CHOWN',
      'CAP_FOWNER',
      'CAP_DAC_OVERRIDE',
      'CAP_SETUID',
      'CAP_SETGID',
    ]);
    expect(settings.get('RestrictAddressFamilies')).toContain('AF_UNIX');
    for (const name of ['MemoryDenyWriteExecute', 'ProcSubset', 'PrivateUsers', 'PrivateNetwork', 'StateDirectory'])
      expect(settings.has(name)).toBe(false);
  });
});

describe('scout-agent-rotate.timer', () => {
  it('looks each day, at an hour of its own', () => {
    expect(Object.fromEntries(settingsOf(TIMER))).toMatchObject({
      OnCalendar: 'daily',
      RandomizedDelaySec: '6h',
      FixedRandomDelay: 'yes',
      Persistent: 'yes',
      WantedBy: 'timers.target',
    });
  });
});

describe.skipIf(!analyzer)('the rotation units, by systemd-analyze (absent: not a systemd host)', () => {
  let folder: string;
  let service: string;
  let timer: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'unit-'));
    mkdirSync(join(folder, 'units'));
    service = join(folder, 'units', 'scout-agent-rotate.service');
    timer = join(folder, 'units', 'scout-agent-rotate.timer');
    // The program is not installed where this runs, and its manual page is no page of this host.
    const local = (unit: string) => unit.replace(/^ExecStart=.*$/m, 'ExecStart=/bin/true').replace(/^Documentation=.*\n/m, '');
    writeFileSync(service, local(SERVICE));
    writeFileSync(timer, local(TIMER));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });

  it('are units without a fault', () => {
    const done = analyze('verify', timer, service);
    expect(done.stderr.split('\n').filter((line) => line.includes('scout-agent'))).toEqual([]);
    expect(done.status).toBe(0);
  });

  // 2.2 with systemd 252: 0.4 of it for running as root, 0.9 for reaching the service, 0.4 for keeping owners.
  it('exposes little', () => {
    const done = analyze('security', '--offline=true', '--threshold=25', '--no-pager', service);
    expect(done.stderr).toBe('');
    expect(done.stdout).toMatch(/Overall exposure level for scout-agent-rotate.service: [012]\.\d OK/);
    expect(done.status).toBe(0);
  });
});
