import { randomBytes, scryptSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceOf, isDeviceOf } from '../../../src/hub/people/devices.ts';
import { Sessions, type SignIn } from '../../../src/hub/people/session.ts';
import { changePassword } from '../../../src/hub/people/users.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import type { User } from '../../../src/hub/store/store.ts';
import { registryOf, tempFolder } from '../helpers.ts';

/** Of the least cost, so that a hundred guesses take no time. */
function hashOf(password: string): string {
  const salt = randomBytes(16);
  const text = (bytes: Buffer) => bytes.toString('base64url');
  return `scrypt$16$8$1$${text(salt)}$${text(scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 }))}`;
}

const PASSWORD = 'correct horse battery';
let folder: ReturnType<typeof tempFolder>;
let store: SqliteStore;
let sessions: Sessions;
let time = 0;
beforeEach(async () => {
  folder = tempFolder();
  store = SqliteStore.open(folder.path);
  time = 1_000_000;
  sessions = new Sessions({ store, now: () => time, monotonic: () => time });
  const passwordHash = hashOf(PASSWORD);
  // Accounts that there are: of a name that nobody has the guess costs as much as of a real password.
  for (const name of ['ann', 'bob', ...Array.from({ length: 31 }, (_, n) => `some-${n}`)]) {
    const user: User = { id: name, org: 'default', name, role: 'admin', passwordHash };
    await store.addUser(user);
  }
});
afterEach(async () => {
  await store.close();
  folder.remove();
});

const OFFICE = '192.0.2.1';
/** Guesses until told to wait; how often that was. */
async function guessUntilSlowed(name: (n: number) => string, source: (n: number) => string): Promise<number> {
  for (let n = 0; ; n++) {
    const result = await sessions.signIn(name(n), 'wrong', source(n));
    if (!result.ok && result.reason === 'wait') return n;
  }
}
const device = (result: SignIn): string => (result.ok ? result.device : '');
const right = (name: string, source: string, known?: string) => sessions.signIn(name, PASSWORD, source, known);

describe('guesses', () => {
  it('are slowed by account and address together, by address, and by account', async () => {
    expect(
      await guessUntilSlowed(
        () => 'ann',
        () => OFFICE,
      ),
    ).toBe(5);
    expect(
      await guessUntilSlowed(
        (n) => `some-${n}`,
        () => '192.0.2.2',
      ),
    ).toBe(30);
    // From everywhere: the five of the office count along.
    expect(
      await guessUntilSlowed(
        () => 'ann',
        (n) => `198.51.100.${n}`,
      ),
    ).toBe(25);
  });

  it('from the same address keep nobody out whose browser is known', async () => {
    const known = device(await right('bob', OFFICE));
    await guessUntilSlowed(
      (n) => `some-${n}`,
      () => OFFICE,
    );
    expect(await right('bob', OFFICE)).toMatchObject({ ok: false, reason: 'wait' });
    expect(await right('bob', OFFICE, known)).toMatchObject({ ok: true, device: known });
  });

  it('from everywhere keep nobody out whose browser is known, and others for a minute at most', async () => {
    const known = device(await right('ann', OFFICE));
    for (let n = 0; n < 200; n++) {
      await sessions.signIn('ann', 'wrong', `203.0.113.${n}`);
      time += 1_000;
    }
    expect(await right('ann', '198.51.100.1', known)).toMatchObject({ ok: true });
    const other = await right('ann', '198.51.100.2');
    expect(other).toMatchObject({ ok: false, reason: 'wait' });
    expect(!other.ok && other.reason === 'wait' ? other.seconds : 99).toBeLessThanOrEqual(60);
    time += 60_000;
    expect(await right('ann', '198.51.100.2')).toMatchObject({ ok: true });
  });

  it('by a browser that is known are slowed as well', async () => {
    const known = device(await right('ann', OFFICE));
    const results: SignIn[] = [];
    for (let n = 0; n < 6; n++) results.push(await sessions.signIn('ann', 'wrong', `198.51.100.${n}`, known));
    expect(results.at(-1)).toMatchObject({ ok: false, reason: 'wait' });
  });
});

describe('what a browser is known by', () => {
  it('is good for one account, under the password that it came with', async () => {
    const [ann, bob] = (await Promise.all(['ann', 'bob'].map((name) => store.userByName(name)))) as [User, User];
    const made = deviceOf(ann);
    expect([isDeviceOf(ann, made), isDeviceOf(bob, made)]).toEqual([true, false]);
    for (const forged of ['', '.', made.slice(1), `${made}x`, deviceOf(bob), `${'A'.repeat(22)}.${'A'.repeat(43)}`])
      expect(isDeviceOf(ann, forged)).toBe(false);
    const changed = await changePassword(registryOf(store), 'ann', 'another long password');
    expect(isDeviceOf(changed, made)).toBe(false);
  });

  it('opens nothing', async () => {
    const known = device(await right('ann', OFFICE));
    expect(await sessions.find(known, true)).toBeUndefined();
    expect(await sessions.signIn('ann', 'wrong', OFFICE, known)).toEqual({ ok: false, reason: 'refused' });
  });
});

describe('another password of one\u2019s own', () => {
  it('takes the old one, ends every other session, and is guessed no faster', async () => {
    const [first, second] = [await right('ann', OFFICE), await right('ann', OFFICE)];
    const cookie = (result: SignIn) => (result.ok ? result.cookie : '');
    const person = await sessions.find(cookie(first), true);
    if (!person) throw new Error('nobody is signed in');
    const change = (old: string, password = 'another long password') =>
      sessions.changePassword(registryOf(store), person, { old, password });
    await expect(change(PASSWORD, 'short')).rejects.toMatchObject({ code: 'HUB_PASSWORD_WEAK' });
    expect(await change('wrong')).toEqual({ ok: false, reason: 'refused' });
    const done = await change(PASSWORD);
    expect(done).toMatchObject({ ok: true });
    for (const old of [first, second]) expect(await sessions.find(cookie(old), true)).toBeUndefined();
    expect(await sessions.find(cookie(done), true)).toMatchObject({ name: 'ann' });
    expect(await right('ann', OFFICE)).toMatchObject({ ok: false, reason: 'refused' });
    for (let n = 0; n < 5; n++) await change('wrong');
    expect(await change('another long password')).toMatchObject({ ok: false, reason: 'wait' });
  });
});
