import { describe, expect, it } from 'vitest';
import { endOf } from '../../../src/cli/doctor/unit.ts';

/** Properties as `systemctl show` prints them. */
const told = (more: Record<string, string>) =>
  Object.entries({ LoadState: 'loaded', UnitFileState: 'enabled', ActiveState: 'failed', SubState: 'failed', Result: 'success', ...more })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
const started = 'Starting scout-agent.service - Host monitoring agent...';
const silent = () => undefined;

describe('the service that does not run', () => {
  it('ended with an error of its own: its last words are told, and none of an earlier start', () => {
    const journal = [
      started,
      '/etc/scout-agent/config.yml:5:8: error HOST_KEY_MISSING: the host key is not there',
      'scout-agent.service: Main process exited, code=exited, status=78/CONFIG',
      started,
      '/etc/scout-agent/config.yml:1:1: error FILE_UNREADABLE: cannot read /etc/scout-agent/config.yml: EACCES',
      '  Run the command as a user who may read it, or correct its owner and mode.',
      'scout-agent.service: Main process exited, code=exited, status=77/NOPERM',
    ];
    const end = endOf(told({ Result: 'exit-code', ExecMainStatus: '77' }), () => journal.join('\n'));
    expect(end?.detail).toBe('the service ended with exit status 77: FILE_UNREADABLE: cannot read /etc/scout-agent/config.yml: EACCES');
    expect(end?.remedy).toMatch(/journalctl .*systemctl start scout-agent$/);
  });

  it('was killed after an earlier fault: that fault is not told', () => {
    const journal = [
      started,
      'error HOST_KEY_MISSING: the host key is not there',
      started,
      'scout-agent.service: Main process exited, code=killed, status=5/TRAP',
    ];
    const end = endOf(told({ Result: 'signal', SubState: 'auto-restart', ExecMainStatus: '5' }), () => journal.join('\n'));
    expect(end?.detail).toBe('the service ended with result signal: code=killed, status=5/TRAP; systemd tries it again by itself');
  });

  it('has no journal that could be read', () => {
    const end = endOf(told({ Result: 'exit-code', ExecMainStatus: '217', ExecMainExitTimestamp: 'Sat 2026-11-21 18:53:09 UTC' }), silent);
    expect(end?.detail).toBe('the service ended with exit status 217 on Sat 2026-11-21 18:53:09 UTC');
  });

  it.each([
    [{ LoadState: 'masked' }, 'its unit is masked', /systemctl unmask scout-agent/],
    [{ LoadState: 'bad-setting' }, 'systemd does not take its unit', /systemctl cat scout-agent.*daemon-reload/],
    [{ UnitFileState: 'disabled', ActiveState: 'inactive' }, 'its unit is disabled', /systemctl enable --now scout-agent/],
  ])('%o: %s', (more, detail, remedy) => {
    expect(endOf(told(more), silent)).toMatchObject({ detail, remedy: expect.stringMatching(remedy) });
  });

  it.each([[{ LoadState: 'not-found' }], [{ ActiveState: 'inactive', SubState: 'dead' }]])('%o: there is nothing to tell', (more) => {
    expect(endOf(told(more), silent)).toBeUndefined();
  });
});
