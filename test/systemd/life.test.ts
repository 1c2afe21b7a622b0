import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { bare } from './bare.ts';
import { begin } from './begin.ts';
import { keys } from './keys.ts';
import { CONFIG, Life, NEW, OLD } from './life.ts';
import { obstacle } from './machine.ts';
import { trouble } from './trouble.ts';

/* The packages on a machine of their own with a real systemd: from dpkg -i to purge, as a sysadmin goes through it. */

const against = obstacle();

describe.skipIf(against)(`the life of the packages${against ? ` (${against})` : ''}`, { timeout: 300_000 }, () => {
  const life = new Life();
  const { machine } = life;
  const packages = join(machine.folder, 'packages');

  beforeAll(async () => {
    machine.make();
    for (const version of [OLD, NEW]) await buildPackages({ out: packages, version, architectures: ['amd64'], compression: 'none' });
    execFileSync('apt-get', ['download', '-q', 'openrc', 'librc1', 'libeinfo1', 'insserv'], { cwd: packages, stdio: 'ignore' });
    await machine.boot(packages);
  }, 300_000);
  afterAll(() => machine.end(), 60_000);
  life.inOrder();

  begin(life);
  keys(life);
  trouble(life);
  bare(life);

  it('remove stops it and keeps what is its; installed again, it goes on', async () => {
    const { first_sequence } = life.shown().instances[0] as { first_sequence: number };
    machine.run('dpkg', '-r', 'scout-agent');
    expect(machine.try('systemctl', 'is-active', 'scout-agent').stdout).toBe('inactive\n');
    expect(machine.run('find', '/proc', '-maxdepth', '1', '-user', 'scout-agent')).toBe('');
    machine.run('test', '-e', '/var/lib/scout-agent/outbox.db', '-a', '-e', CONFIG);
    life.install('scout-agent', NEW);
    await life.more('after a reinstallation');
    expect(life.shown().instances).toMatchObject([{ first_sequence, gaps: [] }]);
  });

  it('purge deletes all of it, and says what', () => {
    // As `migrate` leaves it; what leads elsewhere is not its.
    machine.sh(`mkdir -p /etc/conf.d; ln -s ${CONFIG} /etc/observer-agent.env; ln -s /etc/hostname /etc/conf.d/other`);
    const said = machine.run('dpkg', '-P', 'scout-agent', 'scout-hub');
    machine.sh('rm /etc/conf.d/other');
    const deleted = [CONFIG, '/etc/scout-agent/host.key', '/var/lib/scout-agent/outbox.db', '/var/log/scout-agent/agent.log'];
    for (const path of [...deleted, '/etc/observer-agent.env']) expect(said).toContain(`scout-agent: deleted ${path}\n`);
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
