import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addUser, verifyPassword } from '../../../src/hub/people/users.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { registryOf, tempFolder } from '../helpers.ts';

let folder: ReturnType<typeof tempFolder>;
let store: SqliteStore;
beforeEach(() => {
  folder = tempFolder();
  store = SqliteStore.open(folder.path);
});
afterEach(async () => {
  await store.close();
  folder.remove();
});

it('keeps scrypt with its parameters and salt, and knows the password again', async () => {
  const password = randomBytes(12).toString('hex');
  const user = await addUser(registryOf(store), 'ada', 'admin', password);
  expect(user.passwordHash).toMatch(/^scrypt\$32768\$8\$1\$[\w-]{22}\$[\w-]{43}$/);
  expect(await store.userByName('ada')).toEqual(user);
  expect(await verifyPassword(user, password)).toBe(true);
  expect(await verifyPassword(user, `${password} `)).toBe(false);
  const other = await addUser(registryOf(store), 'bob', 'member', password);
  expect(other.passwordHash).not.toBe(user.passwordHash);
});

it('never knows a user who is not there', async () => {
  expect(await verifyPassword(undefined, '')).toBe(false);
  expect(await verifyPassword(undefined, 'a long password')).toBe(false);
});

it('knows a password in whichever form a keyboard composes its letters', async () => {
  const user = await addUser(registryOf(store), 'ada', 'admin', 'caf\u00e9 au lait');
  expect(await verifyPassword(user, 'cafe\u0301 au lait')).toBe(true);
});

it('refuses what is too short, a name taken, a name that is none', async () => {
  await expect(addUser(registryOf(store), 'ada', 'admin', 'x'.repeat(9))).rejects.toMatchObject({ code: 'HUB_PASSWORD_WEAK' });
  await addUser(registryOf(store), 'ada', 'admin', 'x'.repeat(10));
  await expect(addUser(registryOf(store), 'ada', 'admin', 'x'.repeat(10))).rejects.toMatchObject({ code: 'HUB_USER_EXISTS' });
  for (const name of ['', '-a', 'a b', 'a\n', 'x'.repeat(129)])
    await expect(addUser(registryOf(store), name, 'admin', 'x'.repeat(10))).rejects.toMatchObject({ code: 'HUB_USER_NAME' });
});
