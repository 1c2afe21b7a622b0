import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { root } from '../../packaging/root.ts';
import { Copy, obstacle } from './copy.ts';

const against = obstacle('shellcheck', 'setpriv');
const NAME = 'scout-agent-1.2.3-linux-x64';

describe.skipIf(against)(`the archive${against ? ` (${against})` : ''}`, () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-tar-'));
  const copy = new Copy();
  const build = (out: string, architectures: ('amd64' | 'arm64')[]) =>
    buildPackages({ out: join(folder, out), version: '1.2.3', formats: ['tar'], architectures, compression: 'none' });
  /** As a user of no rights. */
  const nobody = (line: string, ...args: string[]) => {
    const done = spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', line, ...args], {
      encoding: 'utf8',
    });
    return { status: done.status, output: done.stdout + done.stderr };
  };

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    const [path] = await build('one', ['amd64']);
    execFileSync('tar', ['-xzf', path as string, '-C', join(folder, 'one')]);
    await copy.make(join(folder, 'one'));
  }, 120_000);
  afterAll(async () => {
    await copy.end();
    rmSync(folder, { recursive: true });
  });

  it('is the same bytes when it is built again', async () => {
    const [path] = await build('two', ['amd64']);
    expect(readFileSync(path as string).equals(readFileSync(join(folder, 'one', `${NAME}.tar.gz`)))).toBe(true);
    rmSync(join(folder, 'two'), { recursive: true });
  });

  it('has scripts that shellcheck finds no fault with', () => {
    const installer = join(root, 'packaging/tar/install.sh');
    const launchers = ['scout-agent', 'scout-hub'].map((name) => join(folder, 'one', NAME, 'bin', name));
    const done = spawnSync('shellcheck', ['--shell=sh', '--severity=warning', installer, ...launchers], { encoding: 'utf8' });
    expect(done.stdout + done.stderr).toBe('');
    expect(readFileSync(installer, 'utf8').split('\n').length).toBeLessThan(65);
  });

  it('runs where it was unpacked, also by a link', () => {
    const link = join(folder, 'agent');
    symlinkSync(join(folder, 'one', NAME, 'bin/scout-agent'), link);
    for (const program of [link, join(folder, 'one', NAME, 'bin/scout-hub')])
      expect(nobody('"$0" --version', program)).toEqual({ status: 0, output: '1.2.3\n' });
  });

  it('installs without root below a prefix of one’s own, and removes all of it again', () => {
    const prefix = join(folder, 'home', '.local');
    mkdirSync(join(folder, 'home'));
    chmodSync(join(folder, 'home'), 0o777);
    const script = join(folder, 'one', NAME, 'install.sh');
    expect(nobody('"$0" --prefix "$1"', script, prefix)).toEqual({
      status: 0,
      output: `install.sh: installed ${prefix}/bin/scout-agent and ${prefix}/bin/scout-hub\n`,
    });
    expect(nobody('"$0" --version', join(prefix, 'bin/scout-agent')).output).toBe('1.2.3\n');
    expect(nobody('touch "$1/lib/scout-agent/dist/agent/old.js" && "$0" --prefix "$1"', script, prefix).status).toBe(0);
    expect(readdirSync(join(prefix, 'lib/scout-agent/dist/agent'))).not.toContain('old.js');
    expect(nobody('"$0" --prefix "$1" --uninstall', script, prefix).status).toBe(0);
    expect(execFileSync('find', [prefix, '-type', 'f'], { encoding: 'utf8' })).toBe('');
    expect(nobody('"$0"', script)).toMatchObject({ status: 77, output: expect.stringContaining('/usr/local is not writable') });
    expect(nobody('"$0" --prefix relative', script).status).toBe(64);
    expect(nobody('"$0" --prefix', script).status).toBe(64);
  });

  it('installs as root with units and users; nothing of the administrator’s is overwritten or removed', () => {
    const script = `/packages/${NAME}/install.sh`;
    copy.run('mkdir -p /etc/scout-agent && echo mine > /etc/scout-agent/config.yml.example');
    expect(copy.run(script)).toMatch(/installed \/usr\/local\/bin\/scout-agent .*\n(.*\n)*.*brought the units/);
    expect(copy.run('scout-agent --version && getent passwd scout-agent scout-hub | wc -l')).toBe('1.2.3\n2\n');
    expect(copy.run('stat -c "%U %a" /usr/local/lib/scout-agent/node')).toBe('root 755\n');
    const unit = copy.run('cat /etc/systemd/system/scout-agent.service');
    expect(unit).toContain('ExecStart=/usr/local/bin/scout-agent run\n');
    expect(copy.run('grep -rl /usr/bin/scout- /etc/systemd/system || true')).toBe('');
    expect(copy.run('cat /etc/scout-agent/config.yml.example')).toBe('mine\n');
    expect(copy.run('stat -c "%a %U" /var/lib/scout-hub; ls /etc/logrotate.d/scout-agent')).toBe(
      '700 scout-hub\n/etc/logrotate.d/scout-agent\n',
    );
    expect(copy.run(`${script} --uninstall`)).toContain('stay');
    expect(copy.run('ls /etc/logrotate.d')).not.toContain('scout');
    expect(copy.run('find /usr/local /etc/systemd -name "*scout*"')).toBe('');
    expect(copy.run('cat /etc/scout-agent/config.yml.example; ls /etc/default/scout-hub')).toBe('mine\n/etc/default/scout-hub\n');
  });
});
