import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tempFolder } from '../../hub/helpers.ts';
import { commandsOn, scoutHub } from './helpers.ts';

let folder: ReturnType<typeof tempFolder>;
let data: string[];
let file: string;
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
beforeEach(() => {
  folder = tempFolder();
  data = ['--data', join(folder.path, 'hub')];
  file = join(folder.path, 'ci.pub');
  writeFileSync(file, publicKey.export({ format: 'pem', type: 'spki' }));
});
afterEach(() => folder.remove());

const { json, refused } = commandsOn(() => data);

it('credential add, list, disable, enable, rename, delete; each leaves its line in the audit trail', async () => {
  const added = await json(
    'credential',
    'add',
    'ci',
    '--public-key',
    file,
    '--role',
    'member',
    '--scope',
    'heartbeats,keys',
    '--expires',
    '365d',
  );
  expect(added).toEqual({
    credential_id: expect.any(String),
    name: 'ci',
    kid: expect.stringMatching(/^[\w-]{43}$/),
    fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
    role: 'member',
    scopes: ['heartbeats', 'keys'],
  });
  expect(await json('credential', 'list')).toEqual([
    { ...added, enabled: true, created: expect.any(String), expires: expect.any(String), last_used: null },
  ]);
  expect(await json('credential', 'disable', 'ci')).toMatchObject({ enabled: false });
  expect((await scoutHub(['credential', 'list', ...data])).stdout).toMatch(/^ci +[0-9a-f]{12} +member +heartbeats keys +disabled /m);
  expect(await json('credential', 'enable', 'ci')).toMatchObject({ enabled: true });
  expect(await json('credential', 'rename', 'ci', 'build')).toMatchObject({ name: 'build' });
  await refused('HUB_CREDENTIAL_UNKNOWN', 1, 'credential', 'delete', 'ci');
  expect(await json('credential', 'delete', 'build')).toMatchObject({ name: 'build' });
  expect(await json('credential', 'list')).toEqual([]);

  const trail = await json('audit', 'list');
  expect(trail.map((line: { action: string }) => line.action.replace('credential.', ''))).toEqual([
    'add',
    'disable',
    'enable',
    'rename',
    'delete',
  ]);
  expect((await scoutHub(['audit', 'list', ...data])).stdout).toMatch(/^ *3 .* credential\.enable +credential:ci +key=[0-9a-f]{12}$/m);
  expect(await json('audit', 'verify')).toEqual({ ok: true, lines: 5, last: trail[4].hash });

  const database = new DatabaseSync(join(folder.path, 'hub', 'hub.db'));
  // Whoever can write the file can also take off what forbids changes.
  for (const { name } of database.prepare(`SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'`).all())
    database.exec(`DROP TRIGGER ${name}`);
  database.exec(`UPDATE audit SET line = replace(line, 'credential.enable', 'credential.rename') WHERE seq = 3`);
  database.close();
  await refused('HUB_AUDIT_BROKEN', 1, 'audit', 'verify');
  expect((await scoutHub(['audit', 'verify', ...data])).stderr).toContain('line 3');
});

it('credential add refuses a private key, a wrong role or scope, and a file that is not there', async () => {
  const secret = join(folder.path, 'ci.pem');
  writeFileSync(secret, privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const add = (path: string, ...more: string[]) => ['credential', 'add', 'ci', '--public-key', path, ...more];
  await refused('it is a private key', 1, ...add(secret, '--role', 'member'));
  await refused('--role', 64, ...add(file, '--role', 'owner'));
  await refused('--scope admin', 64, ...add(file, '--role', 'member', '--scope', 'admin'));
  await refused('FILE_UNREADABLE', 77, ...add(join(folder.path, 'none'), '--role', 'member'));
  await refused('there is no hub in it', 1, 'credential', 'list');
});
