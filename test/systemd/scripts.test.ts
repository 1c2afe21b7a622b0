import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../packaging/root.ts';

const missing = spawnSync('shellcheck', ['--version']).status !== 0;
const check = (...args: string[]) => spawnSync('shellcheck', args, { cwd: root, encoding: 'utf8' });

describe.skipIf(missing)(`scripts that run as root${missing ? ' (needs shellcheck)' : ''}`, () => {
  it.each(
    readdirSync(join(root, 'packaging/deb'))
      .filter((name) => /\.(pre|post)(inst|rm)$/.test(name))
      .map((name) => `packaging/deb/${name}`)
      .concat('bench/limits.sh'),
  )('%s is without a fault', (path) => {
    expect(check(path)).toMatchObject({ status: 0, stdout: '' });
  });

  it('those for sysvinit and OpenRC as well', () => {
    // The administrator's file of options is not there.
    expect(check('-e', 'SC1091', 'packaging/init/scout-agent.sysvinit')).toMatchObject({ status: 0, stdout: '' });
    // OpenRC reads and sets variables of its own.
    expect(check('-s', 'sh', '-e', 'SC2034,SC2154', 'packaging/init/scout-agent.openrc')).toMatchObject({ status: 0, stdout: '' });
  });
});
