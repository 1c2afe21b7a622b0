import { expect, it } from 'vitest';
import { CONFIG, type Life, OLD } from './life.ts';
import { until } from './machine.ts';

/** From an empty machine to an agent that reports. */
export function begin(life: Life): void {
  const { machine } = life;

  it('the hub installs and runs at once, as a user of its own', () => {
    machine.run('dpkg', '--unpack', `/packages/scout-hub_${OLD}-1_amd64.deb`);
    // As after a loss of power in between: what preinst noted is gone.
    machine.run('rm', '/run/scout-hub.installing');
    machine.run('dpkg', '--configure', 'scout-hub');
    expect(life.property('scout-hub', 'ActiveState')).toBe('active');
    expect(machine.run('stat', '-c', '%U', `/proc/${life.property('scout-hub', 'MainPID')}`)).toBe('scout-hub\n');
    // A token that is made next names it.
    machine.run('test', '-s', '/var/lib/scout-hub/ca.pem');
    expect(machine.run('stat', '-c', '%a %U', '/var/lib/scout-hub')).toBe('700 scout-hub\n');
  });

  it('the agent installs, makes the host key, and waits for a configuration; the second command does the rest', async () => {
    await until('a hub that listens', () => machine.try('bash', '-c', ': < /dev/tcp/127.0.0.1/8443').status === 0);
    const token = machine.run('scout-hub', 'token', 'create', '--server', 'web-0');
    const began = performance.now();
    const said = life.install('scout-agent', OLD);
    const installed = performance.now();
    const enrolled = machine.sh('scout-agent enroll https://127.0.0.1:8443', token);
    const seconds = (ms: number) => (ms / 1_000).toFixed(1);
    const all = performance.now() - began;
    process.stdout.write(
      `From dpkg -i to the first accepted heartbeat: two commands, ${seconds(all)} s (dpkg ${seconds(installed - began)} s, enroll ${seconds(all - installed + began)} s).\n`,
    );
    expect(said).toContain('scout-agent enroll https://');
    expect(enrolled).toMatch(/^The service scout-agent is started, and enabled for each boot: heartbeat \d+ accepted with this key\.$/m);
    const list = JSON.parse(machine.run('scout-hub', 'server', 'list', '--json')) as { name: string; accepted: number }[];
    expect(list.find(({ name }) => name === 'web-0')?.accepted).toBeGreaterThan(0);
    expect(machine.run('stat', '-c', '%a %U:%G', CONFIG)).toBe('640 root:scout-agent\n');
    expect(machine.run('stat', '-c', '%a %U:%G %s', '/etc/scout-agent', '/etc/scout-agent/host.key')).toMatch(
      /^750 root:scout-agent \d+\n400 root:root 32\n$/,
    );
    expect(machine.run('cat', CONFIG)).toMatch(/^ +key: "enc:v1:/m);
    expect(life.property('scout-agent', 'UnitFileState')).toBe('enabled');
    expect(machine.run('scout-agent', '--version')).toBe(`${OLD}\n`);
  });

  it('an enrolment anew is read by the service that runs; where it may not start, that is said', () => {
    const token = () => machine.run('scout-hub', 'token', 'create', '--server', 'web-0');
    const [pid, before] = [life.property('scout-agent', 'MainPID'), life.status().key.fingerprint];
    const enrolled = machine.sh('scout-agent enroll --force https://127.0.0.1:8443', token());
    expect(enrolled).toMatch(/^The service scout-agent runs, and has read it: heartbeat \d+ accepted with this key\.$/m);
    expect(life.property('scout-agent', 'MainPID')).toBe(pid);
    expect(life.status().key).toMatchObject({ slot: 'current', problem: null });
    expect(life.status().key.fingerprint).not.toBe(before);
    machine.sh('systemctl stop scout-agent; systemctl mask scout-agent');
    const refused = machine.sh('scout-agent enroll --force https://127.0.0.1:8443 2>&1 || echo "exit $?"', token());
    expect(refused).toMatch(/ENROLL_START.*systemctl enable scout-agent.service` failed: .*masked/);
    expect(refused).toMatch(/^exit 1$/m);
    const told = JSON.parse(machine.sh('scout-agent enroll --force --no-start --json https://127.0.0.1:8443', token()));
    expect(told).toMatchObject({ sealed: true, service: null, heartbeat: null, next: 'systemctl enable --now scout-agent' });
    machine.sh('systemctl unmask scout-agent; systemctl start scout-agent; rm /etc/scout-agent/*.before-enroll*');
    expect(machine.run('scout-agent', 'heartbeat')).toContain(`with key ${told.fingerprint} (current)`);
  });

  it('a key that is revoked stands in the journal, with code and remedy', async () => {
    const { fingerprint } = life.status().key;
    expect(life.journal('scout-agent')).toContain(
      `"fingerprint":"${fingerprint}","slot":"current","msg":"heartbeat accepted with this key"`,
    );
    machine.run('scout-hub', 'server', 'remove', 'web-0');
    const sent = machine.try('scout-agent', 'heartbeat');
    expect(sent).toMatchObject({ status: 77, stderr: expect.stringContaining(`refused the key with fingerprint ${fingerprint} (401)`) });
    await until('the journal', () => life.journal('scout-agent', '-p', 'err').includes('"code":"KEY_REFUSED"'));
    const lines = life.journal('scout-agent', '-p', 'err').split('\n');
    const line = lines.find((one) => one.includes('KEY_REFUSED')) as string;
    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      code: 'KEY_REFUSED',
      fingerprint,
      remedy: expect.stringContaining('api.key'),
    });
    expect(line).toContain('(401)');
    machine.sh(`systemctl stop scout-agent; rm -r ${CONFIG} /var/lib/scout-agent/*`);
  });

  it('the first heartbeat is accepted once the key is in the configuration', async () => {
    expect(machine.try('scout-agent', '--check-config').stdout).toContain('CONFIG_NOT_FOUND');
    const added = JSON.parse(machine.run('scout-hub', 'server', 'add', 'web-1', '--json'));
    life.key = added.key;
    machine.sh('install -m 0644 /var/lib/scout-hub/ca.pem /etc/scout-agent/ca.pem');
    machine.sh(
      `umask 077; cat > ${CONFIG}; chmod 0640 ${CONFIG}; chgrp scout-agent ${CONFIG}`,
      `api:
  endpoint: https://127.0.0.1:8443
  key: ${life.key} # the key
interval: 100ms
tls: { ca_file: /etc/scout-agent/ca.pem }
`,
    );
    expect(machine.run('scout-agent', '--check-config', '--online')).toContain('the service accepts the key');
    machine.run('systemctl', 'start', 'scout-agent');
    await life.more('after the start');
    expect(life.status()).toMatchObject({ state: 'running', version: OLD, key: { fingerprint: added.fingerprint, slot: 'current' } });
    const collectors = life.status().collectors as { name: string; state: string }[];
    expect(collectors.filter(({ state }) => state !== 'ok' && state !== 'unsupported')).toEqual([]);
    expect(life.journal('scout-agent')).toContain('"msg":"started"');
    expect(life.property('scout-agent', 'StatusText')).toBe('Sampling and reporting.');
  });
}
