import { randomBytes, randomUUID, scrypt, timingSafeEqual } from 'node:crypto';
import { ScoutError } from '../../support/errors.ts';
import { entryFor, isKeyLike, type Registry } from '../servers.ts';
import type { User } from '../store/store.ts';

const PASSWORD_LEAST = 10;

const COST = { N: 2 ** 15, r: 8, p: 1 };
const LENGTH = 32;
/** Of the form that a real hash has, made of no password: it lets an unknown name cost the same work. */
const NOBODY = `scrypt$${COST.N}$${COST.r}$${COST.p}$${Buffer.alloc(16).toString('base64url')}$${Buffer.alloc(LENGTH).toString('base64url')}`;

/** Adds a person. Throws HUB_PASSWORD_WEAK, HUB_USER_EXISTS, HUB_USER_NAME. */
export async function addUser(hub: Registry, name: string, role: User['role'], password: string): Promise<User> {
  unlessWeak(password);
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._@-]{0,127}$/u.test(name) || isKeyLike(name)) throw new ScoutError('HUB_USER_NAME');
  const user: User = { id: randomUUID(), org: hub.org, name, role, passwordHash: await hashPassword(password) };
  await hub.store.addUser(user, entryFor(hub, 'user.add', `user:${name}`, { role }));
  return user;
}

/** Gives a person another password, and ends their sessions. Throws HUB_PASSWORD_WEAK, HUB_USER_UNKNOWN. */
export async function changePassword(hub: Registry, name: string, password: string): Promise<User> {
  unlessWeak(password);
  const { id } = await knownUser(hub, name);
  const change = { passwordHash: await hashPassword(password) };
  const changed = await hub.store.changeUser(id, change, entryFor(hub, 'user.password', `user:${name}`, {}));
  if (!changed) throw unknown(name);
  return changed;
}

/** Gives a person another role, from their next request on. Throws HUB_USER_UNKNOWN, HUB_USER_LAST. */
export async function changeRole(hub: Registry, name: string, role: User['role']): Promise<User> {
  const user = await knownUser(hub, name);
  if (user.role === role) return user;
  const changed = await hub.store.changeUser(user.id, { role }, entryFor(hub, 'user.role', `user:${name}`, { role }));
  if (!changed) throw unknown(name);
  return changed;
}

/** Ends every session of a person; how many there were. Throws HUB_USER_UNKNOWN. */
export async function signOutEverywhere(hub: Registry, name: string): Promise<number> {
  const { id } = await knownUser(hub, name);
  const ended = await hub.store.removeSessions(id);
  await hub.store.audit(entryFor(hub, 'user.sign-out', `user:${name}`, { sessions: String(ended) }));
  return ended;
}

/** Forgets a person, whose sessions end. Throws HUB_USER_UNKNOWN, HUB_USER_LAST. */
export async function removeUser(hub: Registry, name: string): Promise<User> {
  const user = await knownUser(hub, name);
  if (!(await hub.store.removeUser(user.id, entryFor(hub, 'user.remove', `user:${name}`, {})))) throw unknown(name);
  return user;
}

async function knownUser(hub: Registry, name: string): Promise<User> {
  const user = await hub.store.userByName(name);
  if (user?.org !== hub.org) throw unknown(name);
  return user;
}

// What has the form of a key may be one that was pasted by mistake.
const unknown = (name: string): ScoutError => new ScoutError('HUB_USER_UNKNOWN', { name: isKeyLike(name) ? '…' : name });

function unlessWeak(password: string): void {
  const got = [...password].length;
  if (got < PASSWORD_LEAST) throw new ScoutError('HUB_PASSWORD_WEAK', { got, least: PASSWORD_LEAST });
}

/** Whether the password is this user's; undefined stands for an unknown name, which costs as long and is never right. */
export async function verifyPassword(user: User | undefined, password: string): Promise<boolean> {
  const [, N, r, p, salt, hash] = (user?.passwordHash ?? NOBODY).split('$');
  const expected = Buffer.from(hash ?? '', 'base64url');
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const got = await derive(password, Buffer.from(salt ?? '', 'base64url'), expected.length || LENGTH, cost);
  return timingSafeEqual(got, expected) && user !== undefined;
}

async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, LENGTH, COST);
  return `scrypt$${COST.N}$${COST.r}$${COST.p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/** scrypt over the password in Unicode's composed form, so that the same letters from another keyboard fit. */
function derive(password: string, salt: Buffer, length: number, cost: { N: number; r: number; p: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { ...cost, maxmem: 256 * cost.N * cost.r };
    scrypt(password.normalize('NFC'), salt, length, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
