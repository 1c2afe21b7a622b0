import { describe, expect, it } from 'vitest';
import { collectorRow } from '../../../src/cli/doctor/collectors.ts';
import { exitOf, findings } from '../../../src/cli/doctor/finding.ts';
import { reportJson, reportText } from '../../../src/cli/doctor/report.ts';
import { COLLECTORS } from '../../../src/collectors/registry.ts';
import type { CollectorStatus } from '../../../src/collectors/runner.ts';

const roots = { proc: '/proc', sys: '/sys' };
const status = (state: CollectorStatus['state'], more: Partial<CollectorStatus> = {}): CollectorStatus => ({
  name: 'filesystem',
  state,
  duration: 0.001,
  ...more,
});
const { ok, warning, failed, denied, unsupported, stale } = findings('service');

describe('a collector', () => {
  it('that hangs on a mount is stale, and told how to be rid of it', () => {
    const row = collectorRow(status('stale', { detail: 'no answer from /mnt/nas' }), roots);
    expect(row).toMatchObject({ status: 'stale', detail: 'no answer from /mnt/nas', remedy: expect.stringContaining('umount -l') });
  });

  it.each([
    ['/proc/pressure/cpu', /InaccessiblePaths=.*hidepid=/],
    ['/sys/class/hwmon/hwmon0/temp1_input', /udev.*SupplementaryGroups=/],
    ['/srv/data', /setfacl .*\/srv\/data.*CAP_DAC_READ_SEARCH/],
  ])('that may not read %s is denied, with the mount, group or capability', (path, remedy) => {
    expect(collectorRow(status('denied', { path }), roots)).toMatchObject({ status: 'denied', remedy: expect.stringMatching(remedy) });
  });

  it('that got all but some is a warning that names it', () => {
    const row = collectorRow(status('ok', { denied: ['/mnt/home'] }), roots);
    expect(row).toMatchObject({ status: 'warning', detail: 'not permitted: /mnt/home', remedy: expect.stringContaining('exclude_mounts') });
  });

  it('without pressure information is told the kernel option', () => {
    const row = collectorRow({ ...status('unsupported'), name: 'pressure' }, roots);
    expect(row.remedy).toMatch(/CONFIG_PSI.*psi=1/);
  });

  it.each(COLLECTORS.map(({ name }) => name))('%s has a remedy for every failure', (name) => {
    for (const state of ['failed', 'denied', 'stale'] as const) expect(collectorRow({ ...status(state), name }, roots).remedy).not.toBe('');
  });
});

describe('the exit status', () => {
  it.each([
    [0, [ok('a', ''), warning('b', ''), unsupported('c', '')]],
    [1, [failed('a', '')]],
    [1, [stale('a', '')]],
    [77, [denied('a', ''), failed('b', '')]],
    [69, [failed('a', ''), failed('b', '', '', { exit: 69 })]],
    [69, [failed('a', '', '', { exit: 75 })]],
    [78, [denied('a', ''), failed('b', '', '', { exit: 78 }), failed('c', '', '', { exit: 69 })]],
    [0, [warning('a', '', '', { exit: 78 })]],
  ])('is %i', (exit, all) => {
    expect(exitOf(all)).toBe(exit);
  });
});

describe('the report', () => {
  const checks = [ok('dns', 'fine'), failed('key', 'refused', 'Set it.', { cause: 'revoked-key', exit: 77 })];

  it('has one document for programs, without what is ours', () => {
    expect(reportJson({ ok: false, checks, exit: 77, hung: 0 })).toEqual({
      ok: false,
      checks: [
        { name: 'dns', group: 'service', status: 'ok', detail: 'fine', remedy: '' },
        { name: 'key', group: 'service', status: 'failed', detail: 'refused', remedy: 'Set it.', cause: 'revoked-key' },
      ],
    });
  });

  it('has a table for people, each remedy below its row', () => {
    expect(reportText({ checks })).toMatch(
      /^service\n {2}ok +dns +fine\n {2}failed +key +refused \[revoked-key\]\n +→ Set it\.\n\n1 failed\.$/,
    );
    expect(reportText({ checks: [ok('a', 'b')] })).toContain('Nothing is wrong.');
  });
});
