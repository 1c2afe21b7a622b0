import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { sourceOf } from '../http/throttle.ts';
import type { Hub } from '../hub.ts';
import { GuessLimit } from '../pages/guess-limit.ts';
import type { Registry } from '../servers.ts';
import type { User } from '../store/store.ts';
import { deviceOf, isDeviceOf } from './devices.ts';
import { changePassword, verifyPassword } from './users.ts';

/** Name of the cookie; the prefix makes browsers insist on Secure, Path=/ and no Domain. */
export const COOKIE = '__Host-scout';
/** A session ends this long after its last use by a person (12 h), and this long after signing in at the latest (7 d). */
export const IDLE_MS = 12 * 3_600_000;
export const ABSOLUTE_MS = 7 * 24 * 3_600_000;
const TOUCH_MS = 60_000;
/** Passwords checked at a time: each takes 32 MB and a thread of the pool for about 0.1 s. */
const CHECKS_AT_ONCE = 2;
const CHECKS_WAITING = 32;
const PASSWORD_MOST = 1_024;

/** Someone who is signed in. */
export interface Person {
  id: string;
  /** Id of the organisation that is theirs. */
  org: string;
  name: string;
  role: User['role'];
  /** Bound to this session; every form carries it. */
  csrf: string;
}

/** What became of a password: `cookie` opens the session, `device` tells this browser from strangers the next time. */
export type SignIn =
  | { ok: true; cookie: string; device: string }
  | { ok: false; reason: 'refused' }
  | { ok: false; reason: 'wait'; seconds: number };
/** One who guesses is slowed down here: by what he is counted, and for which subject. */
type Counted = [GuessLimit, string];

const hashOf = (cookie: string): string => createHash('sha256').update(cookie).digest('hex');
/** Derived from the cookie, so nothing more has to be kept and nobody without the cookie can know it. */
const csrfOf = (cookie: string): string => createHmac('sha256', cookie).update('scout-hub form').digest('base64url');

/** Whether a form's token is this person's. */
export function csrfMatches(person: Person, given: unknown): boolean {
  const [got, expected] = [Buffer.from(typeof given === 'string' ? given : ''), Buffer.from(person.csrf)];
  return got.length === expected.length && timingSafeEqual(got, expected);
}

/** Signing in and out, and who is behind a cookie. The store keeps the SHA-256 of a cookie, never the cookie. */
export class Sessions {
  readonly #hub: Pick<Hub, 'store' | 'now' | 'monotonic'>;
  /** By account and source together: somebody who guesses slows himself down, not the account's owner elsewhere. */
  readonly #pairs: GuessLimit;
  readonly #sources: GuessLimit;
  /** By account alone, wherever guesses come from; short, for it is the owner at a new browser who waits. */
  readonly #accounts: GuessLimit;
  readonly #queue: (() => void)[] = [];
  #checking = 0;

  constructor(hub: Pick<Hub, 'store' | 'now' | 'monotonic'>) {
    this.#hub = hub;
    this.#pairs = new GuessLimit(hub.monotonic);
    this.#sources = new GuessLimit(hub.monotonic, { free: 30, most: 60_000 });
    this.#accounts = new GuessLimit(hub.monotonic, { free: 30, most: 60_000 });
  }

  /**
   * Checks a password and opens a session. `source` is the address that asks; `device` what an earlier sign-in handed to
   * this browser: it is counted by itself alone, so nobody who guesses, at the same address or anywhere, keeps it out.
   */
  async signIn(name: string, password: string, source: string, device?: string): Promise<SignIn> {
    const from = sourceOf(source);
    const user = await this.#hub.store.userByName(name);
    const known = user !== undefined && device !== undefined && isDeviceOf(user, device);
    const counted: Counted[] = known
      ? [[this.#pairs, `device ${hashOf(device)}`]]
      : [
          [this.#pairs, `${from} ${hashOf(name)}`],
          [this.#sources, from],
          [this.#accounts, hashOf(name)],
        ];
    const fault = await this.#check(user, password, counted, known);
    if (fault || !user) return fault ?? { ok: false, reason: 'refused' };
    return { ok: true, cookie: await this.#open(user), device: known ? device : deviceOf(user) };
  }

  /**
   * Gives a person another password, who knows the old one: ends every session of theirs and opens a new one. Throws
   * HUB_PASSWORD_WEAK, HUB_USER_UNKNOWN.
   */
  async changePassword(hub: Registry, { id, name }: Person, { old, password }: { old: string; password: string }): Promise<SignIn> {
    const user = await this.#hub.store.userByName(name);
    const fault = await this.#check(user, old, [[this.#pairs, `own ${id}`]], true);
    if (fault) return fault;
    const changed = await changePassword(hub, name, password);
    return { ok: true, cookie: await this.#open(changed), device: deviceOf(changed) };
  }

  /** What keeps a password from being right; undefined when it is. */
  async #check(
    user: User | undefined,
    password: string,
    counted: Counted[],
    known: boolean,
  ): Promise<Exclude<SignIn, { ok: true }> | undefined> {
    const wait = Math.max(...counted.map(([limit, subject]) => limit.wait(subject)));
    if (wait > 0) return { ok: false, reason: 'wait', seconds: Math.ceil(wait / 1_000) };
    if (!known && this.#queue.length >= CHECKS_WAITING) return { ok: false, reason: 'wait', seconds: 5 };
    for (const [limit, subject] of counted) limit.count(subject);
    const right = password.length <= PASSWORD_MOST && (await this.#verify(user, password, known));
    if (!right) return { ok: false, reason: 'refused' };
    // Of a source only the attempt itself: what others there got wrong stays counted.
    for (const [limit, subject] of counted) limit.forgive(subject, limit !== this.#sources);
    return undefined;
  }

  async #open({ id }: User): Promise<string> {
    const cookie = randomBytes(32).toString('base64url');
    const now = this.#hub.now();
    await this.#hub.store.addSession({ hash: hashOf(cookie), userId: id, createdAt: now, lastSeen: now });
    return cookie;
  }

  /** Who is behind a cookie, if its session is still good. `active` tells a person's doing from a page that refreshes itself. */
  async find(cookie: string | undefined, active: boolean): Promise<Person | undefined> {
    if (!cookie || cookie.length > 64) return undefined;
    const hash = hashOf(cookie);
    const found = await this.#hub.store.session(hash);
    if (!found) return undefined;
    const { session, user } = found;
    const now = this.#hub.now();
    if (now - session.lastSeen > IDLE_MS || now - session.createdAt > ABSOLUTE_MS) {
      await this.#hub.store.removeSession(hash);
      return undefined;
    }
    if (active && now - session.lastSeen > TOUCH_MS) await this.#hub.store.touchSession(hash, now);
    return { id: user.id, org: user.org, name: user.name, role: user.role, csrf: csrfOf(cookie) };
  }

  /** Ends a session; its cookie is worth nothing afterwards. */
  async end(cookie: string | undefined): Promise<void> {
    if (cookie) await this.#hub.store.removeSession(hashOf(cookie));
  }

  async #verify(user: User | undefined, password: string, first: boolean): Promise<boolean> {
    // A flood of guesses keeps strangers waiting, not those who are known.
    if (this.#checking >= CHECKS_AT_ONCE)
      await new Promise<void>((resolve) => (first ? this.#queue.unshift(resolve) : this.#queue.push(resolve)));
    else this.#checking++;
    try {
      return await verifyPassword(user, password);
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#checking--;
    }
  }
}
