import { describe, expect, it } from 'vitest';
import { checkAgent } from '../../../src/cli/doctor/agent.ts';
import { collectorRow } from '../../../src/cli/doctor/collectors.ts';
import { checkDependencies } from '../../../src/cli/doctor/dependencies.ts';
import { exitOf, findings } from '../../../src/cli/doctor/finding.ts';
import type { Patient } from '../../../src/cli/doctor/patient.ts';
import { REMEDIES } from '../../../src/cli/doctor/remedies.ts';
import { reportJson, reportText } from '../../../src/cli/doctor/report.ts';
import { COLLECTORS } from '../../../src/collectors/registry.ts';
import type { CollectorStatus } from '../../../src/collectors/runner.ts';
import type { Surroundings } from '../../../src/support/surroundings.ts';

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
    const row = collectorRow(status('stale', { detail: 'no answer from /mnt/nas' }), roots, 'systemd');
    expect(row).toMatchObject({ status: 'stale', detail: 'no answer from /mnt/nas', remedy: expect.stringContaining('umount -l') });
  });

  it.each([
    ['/proc/pressure/cpu', /InaccessiblePaths=.*hidepid=/],
    ['/sys/class/hwmon/hwmon0/temp1_input', /udev.*SupplementaryGroups=/],
    ['/srv/data', /setfacl .*\/srv\/data.*CAP_DAC_READ_SEARCH/],
  ])('that may not read %s is denied, with the mount, group or capability', (path, remedy) => {
    expect(collectorRow(status('denied', { path }), roots, 'systemd')).toMatchObject({
      status: 'denied',
      remedy: expect.stringMatching(remedy),
    });
  });

  it('that got all but some is a warning that names it', () => {
    const row = collectorRow(status('ok', { denied: ['/mnt/home'] }), roots, 'systemd');
    expect(row).toMatchObject({ status: 'warning', detail: 'not permitted: /mnt/home', remedy: expect.stringContaining('exclude_mounts') });
  });

  it('without pressure information is told the kernel option', () => {
    const row = collectorRow({ ...status('unsupported'), name: 'pressure' }, roots, 'systemd');
    expect(row.remedy).toMatch(/CONFIG_PSI.*psi=1/);
  });

  it.each([
    ['/proc/pressure/cpu', /set host\.proc.*systempaths=unconfined/],
    ['/sys/class/hwmon/hwmon0/temp1_input', /--group-add/],
    ['/srv/data', /DAC_READ_SEARCH/],
  ])('in a container is not told of units where it may not read %s', (path, remedy) => {
    const row = collectorRow(status('denied', { path }), roots, 'container');
    expect(row.remedy).toMatch(remedy);
    expect(row.remedy).toContain('restart the container');
    expect(row.remedy).not.toMatch(/systemctl|AmbientCapabilities|InaccessiblePaths/);
  });

  it('on Windows is told nothing of Linux', () => {
    for (const { name } of COLLECTORS)
      for (const state of ['unsupported', 'denied'] as const)
        expect(collectorRow({ ...status(state), name }, roots, 'windows').remedy).not.toMatch(/modprobe|systemctl|mount|setfacl|Linux/);
  });

  it.each(COLLECTORS.map(({ name }) => name))('%s has a remedy for every failure', (name) => {
    for (const state of ['failed', 'denied', 'stale'] as const)
      expect(collectorRow({ ...status(state), name }, roots, 'systemd').remedy).not.toBe('');
  });
});

describe('what to do about the agent as a whole', () => {
  const patient = (around: Surroundings) => ({ agent: { kind: 'dead' }, socket: '/run/x', around }) as unknown as Patient;
  it.each([
    ['systemd', /systemctl start scout-agent/],
    ['plain', /scout-agent --daemon/],
    ['container', /docker start/],
    ['windows', /Start-Service/],
  ] as const)('fits %s', async (around, remedy) => {
    expect(checkAgent(patient(around))).toMatchObject([{ name: 'process', remedy: expect.stringMatching(remedy) }]);
    if (around !== 'systemd') expect(JSON.stringify(REMEDIES[around])).not.toContain('systemctl');
    if (around === 'container')
      expect((await checkDependencies(around)).find(({ name }) => name === 'started by')).toMatchObject({ status: 'ok' });
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
