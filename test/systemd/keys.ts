import { expect, it } from 'vitest';
import { CONFIG, type Life } from './life.ts';
import { until } from './machine.ts';

/** Sealing, reloading, rotating: each with the same process. */
export function keys(life: Life): void {
  const { machine } = life;

  it('a value sealed under the running agent opens in it, with nothing restarted', async () => {
    const before = life.property('scout-agent', 'MainPID');
    machine.run('scout-agent', 'encrypt-value', '--in-place');
    expect(machine.run('cat', CONFIG)).toMatch(/^ {2}key: enc:v1:\S+ # the key$/m);
    machine.run('systemctl', 'reload', 'scout-agent');
    await life.more('with the sealed key');
    expect(life.status().state).toBe('running');
    expect(life.property('scout-agent', 'MainPID')).toBe(before);
    machine.run('systemctl', 'restart', 'scout-agent');
    await life.more('after the restart');
    expect(life.property('scout-agent', 'MainPID')).not.toBe(before);
  });

  it('a key is rotated by hand, with the same process; the journal has the new one, and no refusal', async () => {
    const [before, pid, since] = [life.status().key.fingerprint, life.property('scout-agent', 'MainPID'), life.since()];
    expect(machine.run('scout-agent', 'rotate')).toContain('ADOPTED');
    const { fingerprint } = life.status().key;
    expect(fingerprint).not.toBe(before);
    await life.more('with the new key');
    expect(life.property('scout-agent', 'MainPID')).toBe(pid);
    expect(machine.run('stat', '-c', '%a %U:%G', CONFIG)).toBe('640 root:scout-agent\n');
    expect(machine.run('cat', CONFIG)).toMatch(/^ {2}key: enc:v1:\S+ # the key$/m);
    const journal = life.journal('scout-agent', ...since);
    expect(journal).toContain(`"fingerprint":"${fingerprint}","slot":"current","msg":"heartbeat accepted with this key"`);
    expect(journal).not.toMatch(/\(401\)|unauthorized|"code":"KEY_|"level":"(warn|error)"/);
  });

  it('and by the timer, when it is old', async () => {
    const before = life.status().key.fingerprint;
    const undo = [
      life.drop('ExecStart=\nExecStart=/usr/bin/scout-agent rotate --if-older-than 1s', 'scout-agent-rotate.service'),
      life.drop('OnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms', 'scout-agent-rotate.timer', 'Timer'),
    ];
    machine.run('systemctl', 'start', 'scout-agent-rotate.timer');
    await until('the rotation', () => /has taken the place of/.test(life.journal('scout-agent-rotate')));
    await until('its end', () => life.property('scout-agent-rotate', 'ActiveState') === 'inactive');
    expect(life.property('scout-agent-rotate', 'Result')).toBe('success');
    await until('the new key in use', () => life.status().key.fingerprint !== before);
    await life.more('after the timer');
    machine.run('systemctl', 'stop', 'scout-agent-rotate.timer');
    for (const one of undo) one();
  });

  it('a unit without the host key starts, and names what is missing', async () => {
    machine.sh('mv /etc/scout-agent/host.key /root/');
    expect(machine.try('systemctl', 'restart', 'scout-agent').status).not.toBe(0);
    expect(life.property('scout-agent', 'ExecMainStatus')).toBe('78');
    expect(life.journal('scout-agent', '-n', '10')).toContain('HOST_KEY_MISSING');
    machine.sh('mv /root/host.key /etc/scout-agent/; systemctl start scout-agent');
    await life.more('after the host key came back');
  });

  it('with the host key encrypted, and with a key of its own encrypted, root and the service open both', async () => {
    const seal = (name: string, from: string) =>
      `systemd-creds encrypt --with-key=host --name=${name} ${from} /etc/scout-agent/${name}.cred`;
    const { fingerprint } = life.status().key;
    machine.sh(`${seal('host.key', '/etc/scout-agent/host.key')} && mv /etc/scout-agent/host.key /root/`);
    const host = life.drop('LoadCredential=\nLoadCredentialEncrypted=host.key:/etc/scout-agent/host.key.cred');
    machine.run('systemctl', 'restart', 'scout-agent');
    await life.more('with an encrypted host key');
    expect(life.status().key.fingerprint).toBe(fingerprint);
    expect(machine.run('scout-agent', '--check-config', '--online')).toContain('the service accepts the key');
    // Root's commands find what the unit was handed; another unit may not look there, and is handed it too.
    expect(machine.run('scout-agent', 'rotate')).toContain('ADOPTED');
    const rotate = life.drop(
      'LoadCredentialEncrypted=host.key:/etc/scout-agent/host.key.cred\nExecStart=\nExecStart=/usr/bin/scout-agent rotate --if-older-than 1s',
      'scout-agent-rotate.service',
    );
    machine.run('systemctl', 'start', 'scout-agent-rotate');
    expect(life.property('scout-agent-rotate', 'Result')).toBe('success');
    rotate();
    await life.more('with keys sealed by it');
    expect(life.status().key.slot).toBe('current');
    host();
    machine.sh('mv /root/host.key /etc/scout-agent/');

    const sealed = machine.run('cat', CONFIG);
    const added = JSON.parse(machine.run('scout-hub', 'key', 'rotate', 'web-1', '--json'));
    machine.sh(seal('api-key', '-'), added.key);
    machine.sh(`sed -i 's/enc:v1:[^ ]*/systemd-cred:api-key/' ${CONFIG}`);
    const own = life.drop('LoadCredentialEncrypted=api-key:/etc/scout-agent/api-key.cred');
    machine.run('systemctl', 'restart', 'scout-agent');
    await life.more('with an encrypted credential');
    expect(life.status().key).toMatchObject({ fingerprint: added.fingerprint, slot: 'current' });
    expect(machine.run('scout-agent', '--check-config', '--online')).toContain('the service accepts the key');
    const refused = machine.try('scout-agent', 'rotate');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('it only points at the secret');
    own();
    // Back to a value that a rotation can replace.
    machine.sh(`cat > ${CONFIG}; sed -i 's/enc:v1:[^ ]*/${added.key}/' ${CONFIG}`, sealed);
    machine.sh('mv /etc/scout-agent/host.key /root/; systemctl restart scout-agent; mv /root/host.key /etc/scout-agent/');
    await life.more('with a plain key, and no host key');
    machine.run('scout-agent', 'encrypt-value', '--in-place');
    machine.run('systemctl', 'restart', 'scout-agent');
    await life.more('as before');
    expect(life.status().key.fingerprint).toBe(added.fingerprint);
  });
}
