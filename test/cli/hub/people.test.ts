import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tempFolder } from '../../hub/helpers.ts';
import { scoutHub } from './helpers.ts';

let folder: ReturnType<typeof tempFolder>;
let data: string[];
beforeEach(() => {
  folder = tempFolder();
  data = ['--data', join(folder.path, 'hub')];
});
afterEach(() => folder.remove());

const hub = (...args: string[]) => scoutHub([...args, ...data]);

describe('user', () => {
  it('changes roles and ends sessions, and leaves an admin', async () => {
    for (const [name, role] of [
      ['ada', 'admin'],
      ['bob', 'member'],
    ] as const)
      expect((await scoutHub(['user', 'add', name, '--role', role, ...data], 'a long password\n')).status).toBe(0);
    expect(await hub('user', 'role', 'ada', '--role', 'member')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('HUB_USER_LAST'),
    });
    expect((await hub('user', 'role', 'bob', '--role', 'admin')).stdout).toBe('bob is an admin from the next request on.\n');
    expect(JSON.parse((await hub('user', 'role', 'ada', '--role', 'member', '--json')).stdout)).toMatchObject({
      name: 'ada',
      role: 'member',
    });
    expect((await hub('user', 'sign-out', 'ada')).stdout).toBe('ada is signed out everywhere: 0 sessions ended.\n');
    expect((await hub('user', 'role', 'ada', '--role', 'boss')).status).toBe(64);
    expect(await hub('user', 'sign-out', 'eve')).toMatchObject({ status: 1, stderr: expect.stringContaining('HUB_USER_UNKNOWN') });
  });
});

describe('server change', () => {
  it('gives a server another policy, and asks for something', async () => {
    await hub('server', 'add', 'web-1');
    expect((await hub('server', 'change', 'web-1', '--grace', '2h')).stdout).toBe(
      'web-1 has the policy grace, 2h, from the next rotation on.\n',
    );
    expect(JSON.parse((await hub('server', 'change', 'web-1', '--policy', 'multi', '--json')).stdout)).toMatchObject({ policy: 'multi' });
    expect((await hub('key', 'add', 'web-1')).status).toBe(0);
    expect((await hub('server', 'change', 'web-1')).status).toBe(64);
    expect((await hub('server', 'change', 'none', '--policy', 'multi')).status).toBe(1);
  });
});
