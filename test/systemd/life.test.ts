import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { Machine, obstacle, until } from './machine.ts';

/* The packages on a machine of their own with a real systemd: from dpkg -i to purge, as a sysadmin goes through it. */

const against = obstacle();
const [OLD, NEW] = ['0.1.0', '0.2.0'];
const CONFIG = '/etc/scout-agent/config.yml';

describe.skipIf(against)(`the life of the packages${against ? ` (${against})` : ''}`, { timeout: 120_000 }, () => {
  const machine = new Machine();
  const packages = join(machine.folder, 'packages');
  let key = '';
  let broken = false;

  beforeAll(async () => {
    machine.make();
    for (const version of [OLD, NEW]) await buildPackages({ out: packages, version, architectures: ['amd64'], compression: 'none' });
    await machine.boot(packages);
  }, 300_000);
  afterAll(() => machine.end(), 60_000);
  // Each goes on from where the one before left the machine: after a failure the rest would tell nothing.
  beforeEach(({ skip, onTestFailed }) => {
    if (broken) skip();
    onTestFailed(() => {
      broken = true;
    });
  });

  const install = (name: string, version: string) => machine.run('dpkg', '-i', `/packages/${name}_${version}-1_amd64.deb`);
  const property = (unit: string, name: string) => machine.run('systemctl', 'show', '--value', '-p', name, unit).trim();
  const journal = (unit: string, ...more: string[]) => machine.run('journalctl', '--no-pager', '-o', 'cat', '-u', unit, ...more);
  const status = () => JSON.parse(machine.run('scout-agent', 'status', '--json'));
  const shown = () => JSON.parse(machine.run('scout-hub', 'server', 'show', 'web-1', '--json'));
  const accepted = () => shown().instances.reduce((sum: number, one: { accepted: number }) => sum + one.accepted, 0);
  const more = async (what: string, count = 2) => {
    const before = accepted();
    await until(`heartbeats ${what}`, () => accepted() >= before + count);
  };

  it('the hub installs and runs at once, as a user of its own', async () => {
    install('scout-hub', OLD);
    expect(property('scout-hub', 'ActiveState')).toBe('active');
    expect(machine.run('stat', '-c', '%U', `/proc/${property('scout-hub', 'MainPID')}`)).toBe('scout-hub\n');
    await until('its certificate authority', () => machine.try('test', '-s', '/var/lib/scout-hub/ca.pem').status === 0);
    expect(machine.run('stat', '-c', '%a %U', '/var/lib/scout-hub')).toBe('700 scout-hub\n');
  });

  it('the agent installs, makes the host key, and waits for a configuration', () => {
    const said = install('scout-agent', OLD);
    expect(said).toContain('starts once it has a configuration');
    expect(machine.run('stat', '-c', '%a %U:%G %s', '/etc/scout-agent', '/etc/scout-agent/host.key')).toMatch(
      /^750 root:scout-agent \d+\n400 root:root 32\n$/,
    );
    expect(property('scout-agent', 'UnitFileState')).toBe('enabled');
    expect(property('scout-agent', 'ActiveState')).toBe('inactive');
    expect(machine.try('scout-agent', '--check-config').stdout).toContain('CONFIG_NOT_FOUND');
    expect(machine.run('scout-agent', '--version')).toBe(`${OLD}\n`);
  });

  it('the second command enrols it and starts it: the first heartbeat is accepted', async () => {
    const token = machine.run('scout-hub', 'token', 'create', '--server', 'web-0');
    machine.sh('scout-agent enroll https://127.0.0.1:8443 && systemctl start scout-agent', token);
    const list = () => JSON.parse(machine.run('scout-hub', 'server', 'list', '--json')) as { name: string; accepted: number }[];
    await until('its first heartbeat', () => list().some(({ name, accepted }) => name === 'web-0' && accepted > 0));
    expect(machine.run('stat', '-c', '%a %U:%G', CONFIG)).toBe('640 root:scout-agent\n');
    machine.sh(`systemctl stop scout-agent; rm -r ${CONFIG} /var/lib/scout-agent/*`);
  });

  it('the first heartbeat is accepted once the key is in the configuration', async () => {
    const added = JSON.parse(machine.run('scout-hub', 'server', 'add', 'web-1', '--json'));
    key = added.key;
    machine.sh('install -m 0644 /var/lib/scout-hub/ca.pem /etc/scout-agent/ca.pem');
    machine.sh(
      `umask 077; cat > ${CONFIG}; chmod 0640 ${CONFIG}; chgrp scout-agent ${CONFIG}`,
      `api:
  endpoint: https://127.0.0.1:8443
  key: ${key} # the key
interval: 100ms
tls: { ca_file: /etc/scout-agent/ca.pem }
`,
    );
    expect(machine.run('scout-agent', '--check-config', '--online')).toContain('the service accepts the key');
    machine.run('systemctl', 'start', 'scout-agent');
    await more('after the start');
    expect(status()).toMatchObject({ state: 'running', version: OLD, key: { fingerprint: added.fingerprint, slot: 'current' } });
    const collectors = status().collectors as { name: string; state: string }[];
    expect(collectors.filter(({ state }) => state !== 'ok' && state !== 'unsupported')).toEqual([]);
    expect(journal('scout-agent')).toContain('"msg":"started"');
    expect(property('scout-agent', 'StatusText')).toBe('Sampling and reporting.');
  });

  it('a value sealed under the running agent opens in it, with nothing restarted', async () => {
    const before = property('scout-agent', 'MainPID');
    machine.run('scout-agent', 'encrypt-value', '--in-place');
    expect(machine.run('cat', CONFIG)).toMatch(/^ {2}key: enc:v1:\S+ # the key$/m);
    machine.run('systemctl', 'reload', 'scout-agent');
    await more('with the sealed key');
    expect(status().state).toBe('running');
    expect(property('scout-agent', 'MainPID')).toBe(before);
    machine.run('systemctl', 'restart', 'scout-agent');
    await more('after the restart');
    expect(property('scout-agent', 'MainPID')).not.toBe(before);
  });

  it('a key is rotated by hand, with the same process', async () => {
    const [before, pid] = [status().key.fingerprint, property('scout-agent', 'MainPID')];
    expect(machine.run('scout-agent', 'rotate')).toContain('ADOPTED');
    await until('heartbeats with the new key', () => status().key.fingerprint !== before);
    await more('with the new key');
    expect(property('scout-agent', 'MainPID')).toBe(pid);
    expect(machine.run('stat', '-c', '%a %U:%G', CONFIG)).toBe('640 root:scout-agent\n');
    expect(machine.run('cat', CONFIG)).toMatch(/^ {2}key: enc:v1:\S+ # the key$/m);
  });

  it('and by the timer, when it is old', async () => {
    const before = status().key.fingerprint;
    const place = '/run/systemd/system';
    machine.sh(`mkdir -p ${place}/scout-agent-rotate.service.d ${place}/scout-agent-rotate.timer.d`);
    machine.sh(
      `printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/scout-agent rotate --if-older-than 1s\\n' > ${place}/scout-agent-rotate.service.d/soon.conf`,
    );
    machine.sh(
      `printf '[Timer]\\nOnCalendar=\\nOnActiveSec=1s\\nRandomizedDelaySec=0\\nAccuracySec=100ms\\n' > ${place}/scout-agent-rotate.timer.d/soon.conf`,
    );
    machine.run('systemctl', 'daemon-reload');
    machine.run('systemctl', 'start', 'scout-agent-rotate.timer');
    await until('the rotation', () => /has taken the place of/.test(journal('scout-agent-rotate')));
    await until('its end', () => property('scout-agent-rotate', 'ActiveState') === 'inactive');
    expect(property('scout-agent-rotate', 'Result')).toBe('success');
    await until('the new key in use', () => status().key.fingerprint !== before);
    await more('after the timer');
  });

  it('an upgrade under load restarts once, and loses nothing', async () => {
    const starts = () => journal('scout-agent').split('"msg":"started"').length - 1;
    const [begun, edited] = [starts(), `${machine.run('cat', CONFIG)}# mine\n`];
    machine.sh(`cat > ${CONFIG}`, edited);
    machine.sh("sed -i 's/^# Options of/# My options of/' /etc/default/scout-hub");
    install('scout-agent', NEW);
    await more('of the new agent', 5);
    expect(machine.run('dpkg', '-i', '--force-confold', `/packages/scout-hub_${NEW}-1_amd64.deb`)).toContain(NEW);
    await more('to the new hub', 5);
    expect(starts()).toBe(begun + 1);
    expect(status()).toMatchObject({ state: 'running', version: NEW, outbox: { durable: true } });
    expect(machine.run('cat', CONFIG)).toBe(edited);
    expect(machine.run('head', '-n', '1', '/etc/default/scout-hub')).toContain('# My options of');
    const { instances, refused } = shown();
    expect(instances).toMatchObject([{ first_sequence: 1, gaps: [] }]);
    expect(refused).toEqual({});
    machine.run('systemctl', 'stop', 'scout-agent');
    expect(property('scout-agent', 'Result')).toBe('success');
    expect(shown().instances).toMatchObject([{ gaps: [] }]);
    machine.run('systemctl', 'start', 'scout-agent');
  });

  it('what hangs is restarted by the watchdog, and what is killed comes back', async () => {
    machine.sh(
      "mkdir -p /run/systemd/system/scout-agent.service.d; printf '[Service]\\nWatchdogSec=2\\nRestartSec=0\\n' > /run/systemd/system/scout-agent.service.d/soon.conf",
    );
    machine.run('systemctl', 'daemon-reload');
    machine.run('systemctl', 'restart', 'scout-agent');
    const pid = property('scout-agent', 'MainPID');
    machine.run('sh', '-c', `kill -STOP ${pid}`);
    await until(
      'the restart',
      () => !['0', pid].includes(property('scout-agent', 'MainPID')) && property('scout-agent', 'ActiveState') === 'active',
    );
    await more('after the watchdog');
    machine.sh(`kill -KILL ${property('scout-agent', 'MainPID')}`);
    await more('after a kill', 5);
    expect(shown().instances).toMatchObject([{ first_sequence: 1, gaps: [] }]);
    machine.sh('rm /run/systemd/system/scout-agent.service.d/soon.conf; systemctl daemon-reload');
  });

  it('a unit without the host key starts, and names what is missing', async () => {
    machine.sh('mv /etc/scout-agent/host.key /root/');
    expect(machine.try('systemctl', 'restart', 'scout-agent').status).not.toBe(0);
    expect(property('scout-agent', 'ExecMainStatus')).toBe('78');
    expect(journal('scout-agent', '-n', '10')).toContain('HOST_KEY_MISSING');
    machine.sh('mv /root/host.key /etc/scout-agent/; systemctl start scout-agent');
    await more('after the host key came back');
    const sealed = machine.run('cat', CONFIG);
    machine.sh(`mv /etc/scout-agent/host.key /root/; sed -i 's/enc:v1:[^ ]*/${key}/' ${CONFIG}; systemctl restart scout-agent`);
    expect(property('scout-agent', 'ActiveState')).toBe('active');
    machine.sh('mv /root/host.key /etc/scout-agent/');
    machine.sh(`cat > ${CONFIG}`, sealed);
    machine.run('systemctl', 'restart', 'scout-agent');
    await more('as before');
  });

  it('has units that systemd finds no fault with, and that expose little', () => {
    const units = ['scout-agent.service', 'scout-agent-rotate.service', 'scout-agent-rotate.timer', 'scout-hub.service'];
    const verified = machine.try('systemd-analyze', 'verify', '--man=no', ...units.map((name) => `/usr/lib/systemd/system/${name}`));
    expect(verified).toEqual({ status: 0, stdout: '', stderr: '' });
    const exposure = (unit: string) => Number(/: (\d\.\d) /.exec(machine.run('systemd-analyze', 'security', '--no-pager', unit))?.[1]);
    expect(exposure('scout-agent.service')).toBeLessThanOrEqual(1.5);
    expect(exposure('scout-hub.service')).toBeLessThanOrEqual(1.5);
  });

  it('remove stops it and keeps what is its; installed again, it goes on', async () => {
    const { first_sequence } = shown().instances[0];
    machine.run('dpkg', '-r', 'scout-agent');
    expect(machine.try('systemctl', 'is-active', 'scout-agent').stdout).toBe('inactive\n');
    expect(machine.run('find', '/proc', '-maxdepth', '1', '-user', 'scout-agent')).toBe('');
    machine.run('test', '-e', '/var/lib/scout-agent/outbox.db', '-a', '-e', CONFIG);
    install('scout-agent', NEW);
    await more('after a reinstallation');
    expect(shown().instances).toMatchObject([{ first_sequence, gaps: [] }]);
  });

  it('purge deletes all of it, and says what', () => {
    const said = machine.run('dpkg', '-P', 'scout-agent', 'scout-hub');
    for (const path of [CONFIG, '/etc/scout-agent/host.key', '/var/lib/scout-agent/outbox.db'])
      expect(said).toContain(`scout-agent: deleted ${path}\n`);
    expect(said).toContain('scout-hub: deleted /var/lib/scout-hub/hub.db\n');
    expect(said).not.toContain('not empty');
    const left = machine
      .sh(
        'find / -xdev \\( -path /proc -o -path /sys -o -path /packages \\) -prune -o \\( -name "*scout*" -o -user scout-agent -o -user scout-hub \\) -print',
      )
      .trim();
    // What dpkg and journald keep of any package.
    expect(
      left
        .split('\n')
        .filter((path) => path !== '' && !/^\/run\/systemd\/system|^\/var\/lib\/systemd\/deb-systemd-helper-masked/.test(path)),
    ).toEqual([]);
    expect(machine.run('getent', 'passwd', 'scout-agent')).toContain('scout-agent');
  });
});
