import { expect, it } from 'vitest';
import type { Life } from './life.ts';
import { until } from './machine.ts';

const SCRIPT = '/etc/init.d/scout-agent';
const PID = '/run/scout-agent/scout-agent.pid';
const LOG = '/var/log/scout-agent/agent.log';

/** The same agent without systemd's help: scripts for sysvinit and OpenRC, and logrotate. systemd only looks on here. */
export function bare(life: Life): void {
  const { machine } = life;
  const script = (verb: string) => machine.try(SCRIPT, verb);
  const use = (kind: string) => machine.sh(`install -m 0755 /usr/share/doc/scout-agent/examples/scout-agent.${kind} ${SCRIPT}`);
  const pid = () => machine.run('cat', PID).trim();
  const reloads = () => machine.sh(`grep -c '"configuration reloaded"' ${LOG} || true`).trim();

  /** Also a child of the agent's has a moment to end. */
  const nobody = () =>
    until('an end of all its processes', () => machine.run('find', '/proc', '-maxdepth', '1', '-user', 'scout-agent') === '');

  const cycle = async () => {
    expect(script('start')).toMatchObject({ status: 0, stdout: expect.stringContaining('first heartbeat accepted') });
    expect(machine.run('stat', '-c', '%U', `/proc/${pid()}`)).toBe('scout-agent\n');
    expect(script('status')).toMatchObject({ status: 0, stdout: expect.stringContaining('running') });
    const [before, first] = [reloads(), pid()];
    expect(script('reload').status).toBe(0);
    await until('a reload', () => reloads() !== before);
    expect(script('restart').status).toBe(0);
    expect(pid()).not.toBe(first);
    await life.more('after a restart by the script');
  };

  it('sysvinit: start, status, reload, restart, stop; the sealed key opens', async () => {
    machine.run('systemctl', 'stop', 'scout-agent');
    use('sysvinit');
    expect(script('status').status).toBe(3);
    await cycle();
    const running = pid();
    expect(script('start')).toMatchObject({ status: 0, stdout: expect.stringContaining('runs already') });
    expect(pid()).toBe(running);
    expect(script('stop').status).toBe(0);
    await nobody();
    expect(script('stop').status).toBe(0);
    expect(script('status').status).toBe(3);
    machine.run('test', '!', '-e', '/run/credentials/scout-agent.service');
    machine.sh(`mv /etc/scout-agent/config.yml /root/; if ${SCRIPT} start; then exit 1; fi; mv /root/config.yml /etc/scout-agent/`);
  });

  it('OpenRC: the same', async () => {
    // What a boot of OpenRC has made; its packages beside systemd's, whose links a tar must not replace.
    machine.sh(
      'for one in openrc librc1 libeinfo1 insserv; do dpkg --fsys-tarfile /packages/"$one"_*.deb | tar -x -C / --keep-directory-symlink; done',
    );
    machine.sh('cd /run && mkdir -p openrc && cd openrc && mkdir -p daemons exclusive failed init.d options started starting stopping tmp');
    machine.sh('touch /run/openrc/softlevel');
    use('openrc');
    expect(script('status').status).toBe(3);
    await cycle();
    expect(script('stop').status).toBe(0);
    expect(script('status').status).toBe(3);
    await nobody();
  });

  it('logrotate takes the log away, and no line with it', async () => {
    expect(script('start').status).toBe(0);
    const opened = () => machine.sh(`readlink /proc/${pid()}/fd/* || true`).split('\n').includes(LOG);
    const rotate = () => machine.run('logrotate', '--force', '/etc/logrotate.d/scout-agent');
    const first = machine.run('cat', LOG);
    rotate();
    await until('a new log', () => machine.try('test', '-s', LOG).status === 0 && opened());
    // All that was there, and what came until it was opened anew.
    expect(machine.run('cat', `${LOG}.1`).startsWith(first)).toBe(true);
    expect(machine.run('stat', '-c', '%U', LOG)).toBe('scout-agent\n');
    const second = machine.run('cat', LOG);
    rotate();
    await until('another new log', () => machine.try('test', '-s', LOG).status === 0 && opened());
    expect(machine.run('zcat', `${LOG}.2.gz`).startsWith(first)).toBe(true);
    expect(machine.run('cat', `${LOG}.1`).startsWith(second)).toBe(true);
    await life.more('with the new log');
    expect(script('stop').status).toBe(0);
    machine.run('rm', SCRIPT);
    machine.run('systemctl', 'start', 'scout-agent');
    await life.more('under systemd again');
    expect(life.shown().instances).toMatchObject([{ first_sequence: 1, gaps: [] }]);
  });
}
