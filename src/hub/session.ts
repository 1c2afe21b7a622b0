import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Hub } from './hub.ts';
import { GuessLimit } from './pages/guess-limit.ts';
import type { User } from './store.ts';
import { verifyPassword } from './users.ts';

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

export type SignIn = { ok: true; cookie: string } | { ok: false; reason: 'refused' } | { ok: false; reason: 'wait'; seconds: number };

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
  readonly #queue: (() => void)[] = [];
  #checking = 0;

  constructor(hub: Pick<Hub, 'store' | 'now' | 'monotonic'>) {
    this.#hub = hub;
    this.#pairs = new GuessLimit(hub.monotonic);
    this.#sources = new GuessLimit(hub.monotonic, { free: 30 });
  }

  /** Checks a password and opens a session. `source` is the address that asks. */
  async signIn(name: string, password: string, source: string): Promise<SignIn> {
    const from = sourceOf(source);
    const pair = `${from} ${hashOf(name)}`;
    const wait = Math.max(this.#pairs.wait(pair), this.#sources.wait(from));
    if (wait > 0) return { ok: false, reason: 'wait', seconds: Math.ceil(wait / 1_000) };
    if (this.#queue.length >= CHECKS_WAITING) return { ok: false, reason: 'wait', seconds: 5 };
    this.#pairs.count(pair);
    this.#sources.count(from);
    const user = await this.#hub.store.userByName(name);
    const right = password.length <= PASSWORD_MOST && (await this.#verify(user, password));
    if (!right || !user) return { ok: false, reason: 'refused' };
    this.#pairs.forgive(pair, true);
    this.#sources.forgive(from, false);
    const cookie = randomBytes(32).toString('base64url');
    const now = this.#hub.now();
    await this.#hub.store.addSession({ hash: hashOf(cookie), userId: user.id, createdAt: now, lastSeen: now });
    return { ok: true, cookie };
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

  async #verify(user: User | undefined, password: string): Promise<boolean> {
    if (this.#checking >= CHECKS_AT_ONCE) await new Promise<void>((resolve) => this.#queue.push(resolve));
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

/** What counts as one source: an IPv4 address, or the /64 that one IPv6 customer holds. */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1]) return mapped[1];
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('%')[0]!.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail ? tail.split(':') : [];
  const missing = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  return `${[...front, ...Array<string>(missing).fill('0'), ...back].slice(0, 4).join(':')}::/64`;
}
