import { spawnSync } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { homeOf, userName } from '../../src/support/home.ts';

it('is what the environment says, else what the system knows', () => {
  expect(homeOf({ HOME: '/home/me' })).toBe('/home/me');
  expect([homeOf({}), userName()]).toEqual([os.homedir(), os.userInfo().username]);
});

it('is the root folder of a user whom no passwd file knows, and the name a number', () => {
  // Only root can become somebody who does not exist.
  if (process.getuid?.() !== 0) return;
  const script = `
    import { homeOf, userName } from ${JSON.stringify(fileURLToPath(new URL('../../src/support/home.ts', import.meta.url)))};
    process.setgroups([]);
    process.setgid(54321);
    process.setuid(54321);
    delete process.env.HOME;
    process.stdout.write(JSON.stringify([homeOf({}), userName()]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['["/","uid 54321"]', '']);
});
