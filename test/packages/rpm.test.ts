import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { DEPENDS } from '../../packaging/deb.ts';
import { Copy, obstacle } from './copy.ts';

const against = obstacle('rpm', 'rpmbuild');
const RPM = 'rpm --force-debian --nodeps';
const KEY = '/etc/scout-agent/host.key';

describe.skipIf(against)(`the rpm packages${against ? ` (${against})` : ''}`, () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-rpms-'));
  const copy = new Copy();
  const rpm = (name: string, version = '1.2.3', architecture = 'x86_64') => join(folder, 'one', `${name}-${version}-1.${architecture}.rpm`);
  const inside = (path: string) => `/packages/${basename(path)}`;
  const ask = (...args: string[]) => {
    const done = spawnSync('rpm', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    expect(done.stderr, args.join(' ')).toBe('');
    return done.stdout;
  };
  const build = (out: string, version: string, more: object = {}) =>
    buildPackages({ out: join(folder, out), version, formats: ['rpm'], compression: 'none', ...more });

  beforeAll(async () => {
    await build('one', '1.2.4', { architectures: ['amd64'], only: ['scout-agent'] });
    await build('one', '1.2.3', { architectures: ['amd64'], only: ['scout-hub'] });
    await build('one', '1.2.3', { only: ['scout-agent'] });
    await copy.make(join(folder, 'one'));
  }, 120_000);
  afterAll(async () => {
    await copy.end();
    rmSync(folder, { recursive: true });
  });

  it('are the same bytes when they are built again', async () => {
    const umask = process.umask(0o077);
    const again = await build('two', '1.2.3', { architectures: ['amd64'], only: ['scout-agent'] }).finally(() => process.umask(umask));
    expect(again).toHaveLength(1);
    for (const path of again) expect(readFileSync(path).equals(readFileSync(join(folder, 'one', basename(path)))), path).toBe(true);
    rmSync(join(folder, 'two'), { recursive: true });
  });

  it('are whole, for both processors, and say what they are', () => {
    for (const [name, architecture] of [
      ['scout-agent', 'x86_64'],
      ['scout-agent', 'aarch64'],
      ['scout-hub', 'x86_64'],
    ] as const) {
      expect(ask('-K', rpm(name, '1.2.3', architecture))).toContain('digests OK');
      expect(ask('-qp', '--qf', '%{NAME} %{VERSION} %{ARCH} %{OS} %{BUILDHOST}', rpm(name, '1.2.3', architecture))).toBe(
        `${name} 1.2.3 ${architecture} linux localhost`,
      );
    }
    expect(ask('-qip', rpm('scout-agent'))).toMatch(/^License +: Apache-2\.0 AND .*BSD-3-Clause.*MIT/m);
    expect(ask('-qp', '--changelog', rpm('scout-agent'))).toContain('- 1.2.3-1\n- Built from scout-agent 1.2.3');
  });

  it('hold what belongs there, owned by root, with no key among it', () => {
    const agent = ask('-qlvp', rpm('scout-agent')).trim().split('\n');
    for (const path of [
      '/usr/bin/scout-agent',
      '/usr/lib/scout-agent/node',
      '/usr/lib/scout-agent/dist/agent/daemon.cjs',
      '/usr/lib/systemd/system/scout-agent.service',
      '/usr/share/zsh/site-functions/_scout-agent',
      '/usr/share/man/man1/scout-agent.1.gz',
      '/usr/share/licenses/scout-agent/LICENSE',
      '/usr/share/doc/scout-agent/sbom.cdx.json',
    ])
      expect(
        agent.filter((line) => line.endsWith(` ${path}`)),
        path,
      ).toHaveLength(1);
    for (const line of agent.filter((one) => !one.endsWith(' /etc/scout-agent'))) expect(line).toMatch(/^[-d]\S+ +\d+ root +root /);
    expect(agent.filter((line) => line.includes('host.key'))).toEqual([]);
    expect(ask('-qp', '--configfiles', rpm('scout-agent'))).toContain('/etc/scout-agent/config.yml.example\n');
    expect(ask('-qp', '--configfiles', rpm('scout-hub'))).toContain('/etc/default/scout-hub\n');
  });

  it('require what their Node is linked against, and a shell', () => {
    const wanted = ask('-qp', '--requires', rpm('scout-agent'));
    for (const library of ['libc.so.6', 'libm.so.6', 'libstdc++.so.6', 'libgcc_s.so.1', 'libatomic.so.1'])
      expect(wanted).toContain(`${library}()(64bit)\n`);
    // The newest symbols that are used: what the Debian packages ask for is as old.
    const newest = (name: string) =>
      Math.max(...[...wanted.matchAll(new RegExp(`\\(${name}_\\d\\.(?:\\d\\.)?(\\d+)\\)`, 'g'))].map(([, one]) => Number(one)));
    expect([newest('GLIBC'), newest('CXXABI'), newest('GLIBCXX')]).toEqual([28, 11, 21]);
    expect(DEPENDS).toMatch(/libc6 \(>= 2\.28\).*libstdc\+\+6 \(>= 7\)/);
    expect(wanted).toContain('/bin/sh\n');
    expect(ask('-qp', '--requires', rpm('scout-agent', '1.2.3', 'aarch64'))).toContain('ld-linux-aarch64.so.1()(64bit)\n');
  });

  it('install: a user, a host key of its own, a program that runs', () => {
    const said = copy.run(`${RPM} -i ${inside(rpm('scout-agent'))}`);
    expect(said).toContain('scout-agent is installed, and starts once it has a configuration');
    expect(said).toContain('scout-agent enroll https://ADDRESS-OF-THE-HUB');
    expect(said).toContain('then: systemctl enable --now scout-agent');
    expect(copy.run('ls -l /etc/logrotate.d/scout-agent')).toMatch(/^-rw-r--r-- +1 root root /);
    expect(copy.run(`stat -c '%a %U:%G' /etc/scout-agent; stat -c '%a %U:%G %s' ${KEY}`)).toBe('750 root:scout-agent\n400 root:root 32\n');
    expect(copy.run('getent passwd scout-agent')).toContain(':/var/lib/scout-agent:');
    expect(copy.run('NODE_OPTIONS=--require=/nowhere scout-agent --version')).toBe('1.2.3\n');
    expect(copy.run('rpm -V --nodeps scout-agent')).toBe('');
    expect(copy.try('scout-agent --check-config').output).toContain('CONFIG_NOT_FOUND');
  });

  it('upgrade: what an administrator changed stays', () => {
    const key = copy.run(`sha256sum ${KEY}`);
    copy.run("echo '# mine' >> /etc/scout-agent/config.yml.example; echo 'interval: 5s' > /etc/scout-agent/config.yml");
    copy.run(`${RPM} -U ${inside(rpm('scout-agent', '1.2.4'))}`);
    expect(copy.run('scout-agent --version; tail -n 1 /etc/scout-agent/config.yml.example; cat /etc/scout-agent/config.yml')).toBe(
      '1.2.4\n# mine\ninterval: 5s\n',
    );
    expect(copy.run(`sha256sum ${KEY}`)).toBe(key);
    expect(copy.run('ls /run')).not.toContain('upgraded');
  });

  it('erase: the program is gone, key and configuration stay and are named', () => {
    copy.run('mkdir /var/log/scout-agent');
    const said = copy.run(`${RPM} -e scout-agent`);
    expect(said).toContain('scout-agent: /etc/scout-agent stays');
    expect(said).toContain('scout-agent: /var/log/scout-agent stays');
    expect(copy.run('find /usr -xdev -name "*scout*"')).toBe('');
    expect(copy.run('ls /etc/scout-agent')).toMatch(/config\.yml\n(?:.*\n)*host\.key\n/);
  });

  it('the hub: installed, run, erased', () => {
    expect(copy.run(`${RPM} -i ${inside(rpm('scout-hub'))}`)).toContain('systemctl enable --now scout-hub');
    expect(copy.run("scout-hub --version; stat -c '%a %U' /var/lib/scout-hub")).toBe('1.2.3\n700 scout-hub\n');
    expect(copy.run('rpm -V --nodeps scout-hub')).toBe('');
    expect(copy.run(`${RPM} -e scout-hub`)).toContain('/var/lib/scout-hub stays');
    expect(copy.run('find /usr /etc -xdev -name "*scout-hub*" ! -name "*.rpmsave"')).toBe('');
  });

  it('the hub, where it is enabled: installed means that its authority is there for the next command', () => {
    // Stands in for systemd, which does not run here: the hub itself is started, and nobody waits for it.
    const stand = `#!/bin/sh
case "$*" in
*is-enabled*) exit 0 ;;
'start scout-hub.service')
	(sleep 0.2; exec setpriv --reuid=scout-hub --regid=scout-hub --clear-groups env XDG_DATA_HOME=/var/lib \
		scout-hub serve --listen 127.0.0.1:0 --tls-self-signed) >/dev/null 2>&1 &
	echo $! >/run/hub.pid ;;
esac`;
    copy.run(`rm -rf /var/lib/scout-hub; mkdir -p /run/systemd/system
cat > /usr/sbin/systemctl <<'end'
${stand}
end
chmod 0755 /usr/sbin/systemctl`);
    copy.run(`${RPM} -i ${inside(rpm('scout-hub'))} && test -s /var/lib/scout-hub/ca.pem; left=$?; kill $(cat /run/hub.pid); exit $left`);
  });
});
