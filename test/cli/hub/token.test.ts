import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ownPair } from '../../../src/hub/tls/own.ts';
import { readToken } from '../../../src/protocol/enroll.ts';
import { tempFolder } from '../../hub/helpers.ts';
import { commandsOn, scoutHub } from './helpers.ts';

let folder: ReturnType<typeof tempFolder>;
let data: string[];
beforeEach(() => {
  folder = tempFolder();
  data = ['--data', join(folder.path, 'hub')];
});
afterEach(() => folder.remove());

const { json, refused } = commandsOn(() => data);

it('token create, list, revoke; the token alone goes to stdout, and its secret nowhere else', async () => {
  const made = await json('token', 'create', '--server', 'web-1', '--expires', '30m');
  expect(made).toEqual({
    token: expect.any(String),
    fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
    server: 'web-1',
    expires: expect.any(String),
  });
  expect(readToken(made.token)).toMatchObject({ authority: null });
  const plain = await scoutHub(['token', 'create', '--server', 'web-2', ...data]);
  expect(plain.status).toBe(0);
  const { secret } = readToken(plain.stdout)!;
  expect(plain.stderr).toContain('scout-agent enroll');
  expect(plain.stderr).not.toContain(secret);
  const listed = await json('token', 'list');
  expect(listed).toMatchObject([
    { server: 'web-2', state: 'open', used: null },
    { server: 'web-1', fingerprint: made.fingerprint },
  ]);
  expect(JSON.stringify(listed)).not.toContain(secret);
  expect((await scoutHub(['token', 'list', ...data])).stdout).toMatch(/^[0-9a-f]{12} +web-2 +open /m);
  expect(await json('token', 'revoke', made.fingerprint)).toMatchObject({ fingerprint: made.fingerprint, state: 'open' });
  await refused('HUB_TOKEN_UNKNOWN', 1, 'token', 'revoke', made.fingerprint);
  const trail = await json('audit', 'list');
  expect(trail.map(({ action }: { action: string }) => action)).toEqual(['token.create', 'token.create', 'token.revoke']);
  expect(JSON.stringify(trail)).not.toContain(secret);
});

it('token create tells of the hub\u2019s own authority, and of a server that there is already', async () => {
  await json('server', 'add', 'web-1');
  ownPair(data[1]!, '127.0.0.1', Date.now());
  const made = await scoutHub(['token', 'create', '--server', 'web-1', ...data]);
  expect(readToken(made.stdout)?.authority).toMatch(/^[0-9a-f]{64}$/);
  expect(made.stderr).toContain('registered already');
  expect(readToken((await json('token', 'create', '--server', 'web-1', '--no-ca')).token)).toMatchObject({ authority: null });
});

it.each([
  [['create'], '--server'],
  [['create', '--server', 'a', '--expires', 'soon'], '--expires soon'],
  [['create', '--server', 'a', '--expires', '0s'], '--expires 0'],
  [['create', '--server', 'a', '--policy', 'lax'], '--policy lax'],
  [['create', '--server', '-a'], 'HUB_SERVER_NAME'],
  [['revoke'], 'fingerprint'],
])('token %j is wrong usage', async (args, said) => {
  await refused(said, 64, 'token', ...args);
});
