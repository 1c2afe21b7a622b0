import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultData, withStore } from '../../../src/cli/hub/common.ts';
import { tempFolder } from '../../hub/helpers.ts';
import { incoming, registered } from '../../hub/store/store-suite.ts';
import { ready, scoutHub, start, whoami } from './helpers.ts';

let folder: ReturnType<typeof tempFolder>;
let data: string[];
beforeEach(() => {
  folder = tempFolder();
  data = ['--data', join(folder.path, 'hub')];
});
afterEach(() => folder.remove());

describe('server, key and user', () => {
  it('register, list, show and remove', async () => {
    const added = await scoutHub(['server', 'add', 'web-1', '--policy', 'grace', '--grace', '2h', '--json', ...data]);
    expect(added.status).toBe(0);
    const { key, ...rest } = JSON.parse(added.stdout);
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(rest).toEqual({ server_id: expect.any(String), name: 'web-1', fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/) });

    const shown = JSON.parse((await scoutHub(['server', 'show', 'web-1', '--json', ...data])).stdout);
    expect(shown).toMatchObject({ name: 'web-1', policy: 'grace', grace: 7_200, state: 'never', instances: [], refused: {} });
    expect(JSON.parse((await scoutHub(['key', 'list', 'web-1', '--json', ...data])).stdout)).toEqual(shown.keys);
    const text = await scoutHub(['server', 'show', 'web-1', ...data]);
    expect(text.stdout).toContain(rest.fingerprint);
    expect(text.stdout).not.toContain(key);
    expect((await scoutHub(['key', 'list', 'web-1', ...data])).stdout).toContain(rest.fingerprint);
    expect((await scoutHub(['server', 'list', ...data])).stdout).toMatch(/^web-1 +never +never /m);

    const again = await scoutHub(['server', 'add', 'web-1', ...data]);
    expect(again).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('HUB_SERVER_EXISTS') });
    expect((await scoutHub(['server', 'remove', 'web-1', ...data])).status).toBe(0);
    expect(await scoutHub(['server', 'show', 'web-1', ...data])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('HUB_SERVER_UNKNOWN'),
    });
    expect(JSON.parse((await scoutHub(['server', 'list', '--json', ...data])).stdout)).toEqual([]);
  });

  it('that add one name at once: one gets it, the other hears HUB_SERVER_EXISTS', async () => {
    const both = await Promise.all([1, 2].map(() => scoutHub(['server', 'add', 'web-1', ...data])));
    expect(both.map((one) => one.status).sort()).toEqual([0, 1]);
    expect(both.find((one) => one.status === 1)).toMatchObject({ stdout: '', stderr: expect.stringContaining('HUB_SERVER_EXISTS') });
  });

  it('make no empty hub where there is none: it would look like a fleet that is gone', async () => {
    const asked = [
      ['server', 'list'],
      ['audit', 'verify', '--json'],
      ['key', 'rotate', 'web-1'],
      ['user', 'list'],
    ];
    for (const verb of asked)
      expect(await scoutHub([...verb, ...data])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringMatching(/HUB_DATA: .*there is no hub in it/),
      });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('say HUB_DATA when the database fails under them', async () => {
    const broken = withStore({ data: data[1]! }, async (store) => {
      const other = new DatabaseSync(join(data[1]!, 'hub.db'));
      other.exec('DROP TABLE users');
      other.close();
      return store.users('default');
    });
    await expect(broken).rejects.toMatchObject({ code: 'HUB_DATA', message: expect.stringContaining('no such table') });
  });

  it('take the password of a user from stdin, and never show it', async () => {
    const password = randomBytes(12).toString('hex');
    const added = await scoutHub(['user', 'add', 'ada', '--role', 'admin', ...data], `${password}\n`);
    expect(added.status).toBe(0);
    const listed = await scoutHub(['user', 'list', '--json', ...data]);
    expect(JSON.parse(listed.stdout)).toEqual([{ user_id: expect.any(String), name: 'ada', role: 'admin' }]);
    expect(added.stdout + added.stderr + listed.stdout).not.toContain(password);
    expect(await scoutHub(['user', 'add', 'bob', '--role', 'member', ...data], 'short\n')).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('HUB_PASSWORD_WEAK'),
    });
  });

  it.each([
    [['server', 'add', 'web-1', '--policy', 'lax'], '--policy lax'],
    [['server', 'add', 'web-1', '--grace', 'soon'], '--grace soon'],
    [['server', 'add', 'web-1', '--grace', '36501d'], 'a hundred years'],
    [['token', 'create', '--server', 'web-1', '--grace', '9999999999d'], 'a hundred years'],
    [['user', 'add', 'ada', '--role', 'king'], '--role king'],
    [['user', 'add', 'ada'], '--role'],
    [['server', 'add'], 'name'],
    [['serve', '--listen', 'nowhere', '--tls-self-signed'], '--listen nowhere'],
    [['serve', '--retention', 'long', '--tls-self-signed'], '--retention long'],
    [['serve', '--max-size', 'big', '--tls-self-signed'], '--max-size big'],
    [['serve', '--silent-after', '2', '--tls-self-signed'], '--silent-after 2'],
    [['serve'], 'HUB_TLS_CHOICE'],
    [['serve', '--nonsense'], '--nonsense'],
  ])('refuse %j as wrong usage', async (args, said) => {
    expect(await scoutHub([...args, ...data])).toMatchObject({ status: 64, stdout: '', stderr: expect.stringContaining(said) });
  });

  it('take part of a millisecond as a whole one, or none', async () => {
    for (const [name, grace, seconds] of [
      ['a', '0.0004s', 0],
      ['b', '1.0006s', 1.001],
    ] as const) {
      expect((await scoutHub(['server', 'add', name, '--grace', grace, ...data])).status).toBe(0);
      expect(JSON.parse((await scoutHub(['server', 'show', name, '--json', ...data])).stdout)).toMatchObject({ grace: seconds });
    }
  });

  it('neither keep nor repeat a key that was pasted where a name or a file belongs', { timeout: 180_000 }, async () => {
    expect((await scoutHub(['server', 'add', 'web-1', '--policy', 'multi', ...data])).status).toBe(0);
    const key = randomBytes(32).toString('hex');
    const file = join(folder.path, 'none');
    for (const args of [
      ['server', 'add', key],
      ['server', 'show', key],
      ['server', 'remove', key],
      ['token', 'create', '--server', key],
      ['user', 'add', key, '--role', 'member'],
      ['key', 'rotate', key],
      ['key', 'add', 'web-1', '--name', key],
      ['key', 'delete', 'web-1', key],
      ['key', 'rename', 'web-1', key, 'x'],
      ['credential', 'enable', key],
      ['credential', 'rename', key, 'x'],
      ['credential', 'add', key, '--role', 'member', '--public-key', file],
      ['credential', 'add', 'x', '--role', 'member', '--public-key', key],
      ['audit', 'verify', '--file', key],
      ['audit', 'verify', '--from', key],
      ['audit', 'verify', '--expect', `${key}x`],
    ]) {
      const { status, stdout, stderr } = await scoutHub([...args, ...data], `${key}\n`);
      expect([status === 0, stdout, stderr.includes(key)], args.join(' ')).toEqual([false, '', false]);
    }
    for (const name of readdirSync(data[1]!)) expect(readFileSync(join(data[1]!, name)).includes(key), name).toBe(false);
  });

  it.each([
    ['serve'],
    ['server', 'add'],
    ['server', 'list'],
    ['server', 'show'],
    ['server', 'remove'],
    ...['rotate', 'retire', 'list', 'add', 'enable', 'disable', 'rename', 'delete'].map((verb) => ['key', verb]),
    ...['add', 'list', 'enable', 'disable', 'rename', 'delete'].map((verb) => ['credential', verb]),
    ['audit', 'list'],
    ['token', 'create'],
    ['token', 'list'],
    ['token', 'revoke'],
    ['user', 'add'],
    ['user', 'list'],
  ])('explain themselves with an example: %s %s', async (...args) => {
    const { status, stdout } = await scoutHub([...args.filter(Boolean), '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain(`Example:\n  scout-hub ${args.filter(Boolean).join(' ')}`);
  });
});

describe('serve', () => {
  it('serves until it is told to stop, and takes what other processes register meanwhile', async () => {
    const hub = start(['serve', '--listen', '127.0.0.1:0', '--tls-self-signed', ...data]);
    try {
      const said = await ready(hub);
      const port = Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
      const ca = readFileSync(/authority: (.*)$/m.exec(said)?.[1] as string, 'utf8');
      const names = ['a', 'b', 'c', 'd'];
      const added = await Promise.all(names.map((name) => scoutHub(['server', 'add', name, '--json', ...data])));
      const keys = added.map(({ stdout }) => JSON.parse(stdout).key as string);
      expect(await Promise.all(keys.map((key) => whoami(port, ca, key)))).toEqual([200, 200, 200, 200]);
      expect((await scoutHub(['server', 'remove', 'b', ...data])).status).toBe(0);
      expect(await whoami(port, ca, keys[1] as string)).toBe(401);

      const taken = await scoutHub(['serve', '--listen', `127.0.0.1:${port}`, '--tls-self-signed', ...data]);
      expect(taken).toMatchObject({ status: 1, stderr: expect.stringContaining('HUB_LISTEN') });
      hub.kill('SIGHUP');
      expect(await whoami(port, ca, keys[0] as string)).toBe(200);
    } finally {
      hub.kill('SIGTERM');
    }
    expect(await once(hub, 'close')).toEqual([0, null]);
  });

  it('is created once when several processes open a new folder together', async () => {
    const added = await Promise.all(['a', 'b', 'c'].map((name) => scoutHub(['server', 'add', name, ...data])));
    expect(added.map(({ status, stderr }) => (status === 0 ? 0 : stderr))).toEqual([0, 0, 0]);
    expect(JSON.parse((await scoutHub(['server', 'list', '--json', ...data])).stdout)).toHaveLength(3);
  });

  it('says which address it cannot have', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const done = await scoutHub(['serve', '--listen', `127.0.0.1:${port}`, '--tls-self-signed', ...data]);
    expect(done).toMatchObject({ status: 1, stderr: expect.stringContaining(`127.0.0.1:${port}`) });
    holder.close();
  });
});

it('serve is told when a server is silent, and the verbs beside it say the same', async () => {
  await withStore({ data: data[1]! }, async (store) => {
    const { server, key } = registered('web-1');
    await store.addServer(server, key);
    await store.accept(server, key, [incoming(randomUUID(), 1, { interval: 10 })], Date.now() - 200_000);
  });
  const listed = async () => JSON.parse((await scoutHub(['server', 'list', '--json', ...data])).stdout)[0].state;
  expect(await listed()).toBe('silent');
  const hub = start(['serve', '--listen', '127.0.0.1:0', '--tls-self-signed', '--silent-after', '24h', ...data]);
  const said = await ready(hub);
  expect(await listed()).toBe('late');
  const port = /https:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1] ?? '';
  // One that does not come to serve changes nothing.
  expect((await scoutHub(['serve', '--listen', `127.0.0.1:${port}`, '--tls-self-signed', ...data])).status).toBe(1);
  expect(await listed()).toBe('late');
  hub.kill();
  await once(hub, 'close');
});

it('serve opens no debugger on SIGUSR1', async () => {
  const hub = start(['serve', '--listen', '127.0.0.1:0', '--tls-self-signed', ...data]);
  let said = '';
  hub.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await ready(hub);
  hub.kill('SIGUSR1');
  // Signals of one process are taken in order of their numbers or their coming; by its end this one has been.
  hub.kill('SIGTERM');
  const [status] = await once(hub, 'close');
  expect({ status, debugger: said.includes('Debugger') }).toEqual({ status: 0, debugger: false });
});

it('defaultData is the folder of the user who asks', () => {
  const other = defaultData({ XDG_DATA_HOME: '/x' });
  expect(other).toBe(process.getuid?.() === 0 ? '/var/lib/scout-hub' : '/x/scout-hub');
});
