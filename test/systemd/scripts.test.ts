import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../packaging/root.ts';
import { maintainerScript } from '../../packaging/shell.ts';

const missing = spawnSync('shellcheck', ['--version']).status !== 0;
const check = (...args: string[]) => spawnSync('shellcheck', args, { cwd: root, encoding: 'utf8' });
const scripts = ['deb', 'rpm'].flatMap((format) =>
  readdirSync(join(root, 'packaging', format))
    .filter((name) => !name.endsWith('-overrides'))
    .map((name) => `${format}/${name}`),
);

describe.skipIf(missing)(`scripts that run as root${missing ? ' (needs shellcheck)' : ''}`, () => {
  it.each(scripts)('%s is without a fault, as it goes into the package', (path) => {
    const input = maintainerScript(path);
    expect(input).not.toContain('# include');
    expect(spawnSync('shellcheck', ['-s', 'sh', '-'], { input, encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '' });
  });

  it('that of the machine with limits as well', () => {
    expect(check('bench/limits.sh')).toMatchObject({ status: 0, stdout: '' });
  });

  it('those for sysvinit and OpenRC as well', () => {
    // The administrator's file of options is not there.
    expect(check('-e', 'SC1091', 'packaging/init/scout-agent.sysvinit')).toMatchObject({ status: 0, stdout: '' });
    // OpenRC reads and sets variables of its own.
    expect(check('-s', 'sh', '-e', 'SC2034,SC2154', 'packaging/init/scout-agent.openrc')).toMatchObject({ status: 0, stdout: '' });
  });
});
