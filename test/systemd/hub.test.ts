import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const UNIT = readFileSync(fileURLToPath(new URL('../../systemd/scout-hub.service', import.meta.url)), 'utf8');
const analyzer = spawnSync('systemd-analyze', ['--version']).status === 0;

describe.skipIf(!analyzer)('scout-hub.service, by systemd-analyze (absent: not a systemd host)', () => {
  let folder: string;
  let unit: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'unit-'));
    unit = join(folder, 'scout-hub.service');
    // The program is not installed where this runs, and its manual page is no page of this host.
    writeFileSync(unit, UNIT.replace('/usr/bin/scout-hub serve', '/bin/true').replace(/^Documentation=.*\n/m, ''));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });

  it('is a unit without a fault', () => {
    const done = analyze('verify', unit);
    expect(done.stderr.split('\n').filter((line) => line.includes('scout-hub'))).toEqual([]);
    expect(done.status).toBe(0);
  });

  it('exposes little', () => {
    const done = analyze('security', '--offline=true', '--threshold=15', '--no-pager', unit);
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
  });
});
