import { expect, it } from 'vitest';
import { CONFIG, type Life, NEW, OLD } from './life.ts';
import { until } from './machine.ts';

/** What befalls an agent: an upgrade, a loop that hangs, things that it may not see; and what tells of it. */
export function trouble(life: Life): void {
  const { machine } = life;
  const restarted = (pid: string) => () =>
    !['0', pid].includes(life.property('scout-agent', 'MainPID')) && life.property('scout-agent', 'ActiveState') === 'active';

  it('an upgrade under load restarts once, and loses nothing', async () => {
    const [since, edited] = [life.since(), `${machine.run('cat', CONFIG)}# mine\n`];
    machine.sh(`cat > ${CONFIG}`, edited);
    machine.sh("sed -i 's/^# Options of/# My options of/' /etc/default/scout-hub");
    life.install('scout-agent', NEW);
    await life.more('of the new agent', 5);
    life.install('scout-hub', NEW);
    await life.more('to the new hub', 5);
    expect(life.journal('scout-agent', ...since).match(/"msg":"started"/g)).toHaveLength(1);
    expect(life.status()).toMatchObject({ state: 'running', version: NEW, outbox: { durable: true } });
    expect(machine.run('cat', CONFIG)).toBe(edited);
    expect(machine.run('head', '-n', '1', '/etc/default/scout-hub')).toContain('# My options of');
    const { instances, refused } = life.shown();
    expect(instances).toMatchObject([{ first_sequence: 1, gaps: [] }]);
    expect(refused).toEqual({});
    machine.run('systemctl', 'stop', 'scout-agent');
    expect(life.property('scout-agent', 'Result')).toBe('success');
    expect(life.shown().instances).toMatchObject([{ gaps: [] }]);
    machine.run('systemctl', 'start', 'scout-agent');
  });

  it('going back to the version before loses nothing either', async () => {
    life.install('scout-agent', OLD);
    await life.more('of the older agent', 3);
    expect(life.status().version).toBe(OLD);
    life.install('scout-agent', NEW);
    await life.more('of the newer one again', 3);
    expect(life.shown().instances).toMatchObject([{ first_sequence: 1, gaps: [] }]);
  });

  it('what hangs is restarted by the watchdog, and what is killed comes back', async () => {
    const [undo, since] = [life.drop('WatchdogSec=2\nRestartSec=0'), life.since()];
    machine.run('systemctl', 'restart', 'scout-agent');
    const pid = life.property('scout-agent', 'MainPID');
    machine.run('sh', '-c', `kill -STOP ${pid}`);
    await until('the restart', restarted(pid));
    expect(life.journal('scout-agent', ...since)).toContain('Watchdog timeout');
    await life.more('after the watchdog');
    machine.sh(`kill -KILL ${life.property('scout-agent', 'MainPID')}`);
    await life.more('after a kill', 5);
    expect(life.shown().instances).toMatchObject([{ first_sequence: 1, gaps: [] }]);
    undo();
  });

  it('doctor names what the service may not see, with what helps; and it does', async () => {
    const undo = life.drop('ProtectProc=invisible\nInaccessiblePaths=/proc/diskstats');
    machine.sh('mkdir -p /srv/closed/inner; chmod 0700 /srv/closed; mount -t tmpfs none /srv/closed/inner');
    machine.run('systemctl', 'restart', 'scout-agent');
    await life.more('of one that is blind in part');
    const warned = (words: RegExp) => ({ status: 'warning', remedy: expect.stringMatching(words) });
    expect(life.row('disk')).toMatchObject({ status: 'denied', remedy: expect.stringMatching(/diskstats is hidden.*InaccessiblePaths=/) });
    expect(life.row('processes')).toMatchObject(warned(/ProtectProc=default/));
    expect(life.row('filesystem')).toMatchObject({
      ...warned(/setfacl -m u:scout-agent:x/),
      detail: expect.stringContaining('/srv/closed/inner'),
    });
    undo();
    machine.sh('chmod 0711 /srv/closed; systemctl restart scout-agent');
    await life.more('of one that sees');
    for (const name of ['disk', 'processes', 'filesystem']) expect(life.row(name)?.status, name).toBe('ok');
    machine.sh('umount /srv/closed/inner; rm -r /srv/closed');
    // /proc of the host is not that of the unit: systemd mounts one for it.
    machine.sh('mount -o remount,hidepid=invisible /proc; systemctl restart scout-agent');
    await life.more('under hidepid=');
    expect(life.row('processes')?.status).toBe('ok');
    machine.sh('mount -o remount,hidepid=off /proc');
  });

  it('doctor tells what keeps the service from starting, and typing its remedy in helps', async () => {
    const typed = (name: string): string => {
      const { status, remedy } = life.row(name) ?? { status: 'missing', remedy: '' };
      expect(status, name).toBe('failed');
      return machine.sh(remedy.replace(/^(Run|Put it back before the service stops): /, ''));
    };
    machine.sh(`chgrp root ${CONFIG}; systemctl restart scout-agent 2>/dev/null || true`);
    expect(life.row('process')?.detail).toMatch(/exit status 77 on .*: FILE_UNREADABLE: /);
    typed('configuration');
    machine.sh('systemctl start scout-agent; cp -p /etc/scout-agent/host.key /root/; rm /etc/scout-agent/host.key');
    // With the copy that the running service has nothing is sealed: it goes when that does.
    expect(machine.try('sh', '-c', 'echo x | scout-agent encrypt-value').stderr).toContain('HOST_KEY_FLEETING');
    typed('host key');
    machine.sh('cmp /root/host.key /etc/scout-agent/host.key && rm /root/host.key');
    machine.sh('systemctl mask --now scout-agent');
    typed('process');
    await until('an agent that is well', () => life.row('process')?.status === 'ok');
  });

  it('doctor names a mount that hangs, and heartbeats go on', async () => {
    machine.run('mkdir', '/srv/dead');
    const release = machine.hang('/srv/dead');
    try {
      await until('a stale mount', () => life.row('filesystem')?.status === 'stale');
      expect(life.row('filesystem')).toMatchObject({ detail: 'no answer from /srv/dead', remedy: expect.stringContaining('umount -l') });
      await life.more('beside a dead mount', 5);
    } finally {
      release();
    }
    machine.sh('umount -l /srv/dead; rmdir /srv/dead');
    await until('an end of it', () => life.row('filesystem')?.status === 'ok');
  });

  it('a bundle has the journal and no key, of an agent that lives and of one that is dead', async () => {
    const inside = (file: string, name: string) => machine.sh(`tar -xzOf ${file} scout-agent-bundle/${name}`);
    const make = (file: string) => {
      machine.run('scout-agent', 'bundle', file);
      expect(inside(file, 'journal.txt')).toMatch(/scout-agent\[\d+\]: .*"msg":"started"/);
      expect(inside(file, 'units.txt')).toContain('WatchdogSec=120');
      expect(machine.run('stat', '-c', '%a', file)).toBe('600\n');
      expect(machine.sh(`tar -xzOf ${file}`)).not.toContain(life.key);
      return JSON.parse(inside(file, 'doctor.json')).checks as { name: string; status: string }[];
    };
    expect(make('/root/alive.tar.gz').find(({ name }) => name === 'process')?.status).toBe('ok');
    // A key in the journal, as a careless hand may leave it there.
    machine.sh(`systemd-run -q --unit scout-agent-note.service echo 'note: ${life.key}'`);
    await until('the note', () => life.journal('scout-agent-note').includes(life.key));
    machine.run('systemctl', 'stop', 'scout-agent');
    expect(make('/root/dead.tar.gz').find(({ name }) => name === 'process')?.status).toBe('failed');
    expect(inside('/root/dead.tar.gz', 'journal.txt')).toMatch(/note: \[/);
    machine.sh('rm /root/*.tar.gz; systemctl start scout-agent');
  });

  it('has units that systemd finds no fault with, and that expose little', () => {
    const units = ['scout-agent.service', 'scout-agent-rotate.service', 'scout-agent-rotate.timer', 'scout-hub.service'];
    const verified = machine.try('systemd-analyze', 'verify', '--man=no', ...units.map((name) => `/usr/lib/systemd/system/${name}`));
    expect(verified).toEqual({ status: 0, stdout: '', stderr: '' });
    const exposure = (unit: string) => Number(/: (\d\.\d) /.exec(machine.run('systemd-analyze', 'security', '--no-pager', unit))?.[1]);
    expect(exposure('scout-agent.service')).toBeLessThanOrEqual(1.5);
    expect(exposure('scout-hub.service')).toBeLessThanOrEqual(1.5);
  });
}
