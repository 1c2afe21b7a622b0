import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { daemonCommand } from '../../src/agent/process.ts';
import { AGENT } from '../helpers/programs.ts';

const BUNDLE = fileURLToPath(new URL('../../dist/agent/daemon.cjs', import.meta.url));

/* What the daemon's process is made of, each of which costs it memory for months. */
describe('the daemon', () => {
  it('loads no module of Node that it has no use for', () => {
    const asked = [...readFileSync(BUNDLE, 'utf8').matchAll(/require\("(?:node:)?([a-z_/]+)"\)/g)].map(([, name]) => name);
    expect(asked).toContain('sqlite');
    expect(
      asked.filter((name) => /^(assert|module|worker_threads|vm|v8|url|stream.*|fs\/promises|timers\/promises)$/.test(name as string)),
    ).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')('has one helping thread of V8, however many processors there are, and a collector', () => {
    const { args, env } = daemonCommand(AGENT, []);
    const flags = args.slice(
      0,
      args.findIndex((arg) => !arg.startsWith('--')),
    );
    expect(flags).toContain('--v8-pool-size=1');
    const script = "console.log(require('node:fs').readdirSync('/proc/self/task').length, typeof gc)";
    const said = execFileSync(process.execPath, [...flags, '--eval', script], { encoding: 'utf8', env });
    // The loop's, V8's for delayed tasks, and its one helper.
    expect(said.trim()).toBe('3 function');
  });
});
