import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../../src/hub/http/app.ts';
import type { Hub } from '../../../src/hub/hub.ts';
import { COOKIE } from '../../../src/hub/people/session.ts';
import { addUser } from '../../../src/hub/people/users.ts';
import { SqliteStore } from '../../../src/hub/store/sqlite-store.ts';
import { registryOf } from '../helpers.ts';

export const PASSWORD = 'correct horse battery';
export const ORIGIN = 'https://hub.example';

/** A hub with its routes but no sockets, on a real store in a temporary folder and on a clock that stands still. */
export class TestHub implements Hub {
  readonly folder = mkdtempSync(join(os.tmpdir(), 'scout-pages-'));
  readonly store = SqliteStore.open(this.folder);
  readonly serviceId = 'test';
  readonly publicOrigin = ORIGIN;
  readonly app: ReturnType<typeof createApp>;
  readonly #stopping = new AbortController();
  readonly stopping = this.#stopping.signal;
  readonly lookEveryMs = 10;
  time = Date.UTC(2026, 0, 31, 12);
  now = (): number => this.time;
  monotonic = (): number => this.time;

  constructor() {
    this.app = createApp(this);
  }

  /** What a server does when it stops: answers that go on and on end. */
  stop(): void {
    this.#stopping.abort();
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return Promise.resolve(this.app.request(ORIGIN + path, { headers: { host: 'hub.example', ...headers } }));
  }

  post(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    const own = {
      host: 'hub.example',
      origin: ORIGIN,
      'sec-fetch-site': 'same-origin',
      'content-type': 'application/x-www-form-urlencoded',
    };
    return Promise.resolve(
      this.app.request(ORIGIN + path, { method: 'POST', body: new URLSearchParams(form).toString(), headers: { ...own, ...headers } }),
    );
  }

  /** Makes a user if need be, signs in, and returns the `Cookie` header. */
  async signIn(name = 'ada', role: 'admin' | 'member' = 'member'): Promise<{ cookie: string }> {
    if (!(await this.store.userByName(name))) await addUser(registryOf(this.store), name, role, PASSWORD);
    const answer = await this.post('/sign-in', { name, password: PASSWORD });
    return { cookie: cookieOf(answer) };
  }

  /** Makes a user if need be and gives them a session, without the work that passwords cost; the password is PASSWORD nevertheless. */
  async enter(name = 'ada', role: 'admin' | 'member' = 'member'): Promise<{ cookie: string }> {
    passwordHash ??= hashOnce();
    const user = (await this.store.userByName(name)) ?? { id: randomUUID(), org: 'default', name, role, passwordHash: await passwordHash };
    if (!(await this.store.userByName(name))) {
      const audit = {
        org: 'default',
        at: this.time,
        actor: 'hub',
        action: 'user.add',
        subject: `user:${name}`,
        detail: { role },
        address: null,
      };
      await this.store.addUser(user, audit);
    }
    const cookie = randomBytes(32).toString('base64url');
    const hash = createHash('sha256').update(cookie).digest('hex');
    await this.store.addSession({ hash, userId: user.id, createdAt: this.time, lastSeen: this.time });
    return { cookie: `${COOKIE}=${cookie}` };
  }

  async close(): Promise<void> {
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let passwordHash: Promise<string> | undefined;

/** The hash of PASSWORD, as the hub makes it. */
async function hashOnce(): Promise<string> {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-pages-'));
  const store = SqliteStore.open(folder);
  const made = await addUser(registryOf(store), 'ada', 'member', PASSWORD);
  await store.close();
  rmSync(folder, { recursive: true, force: true });
  return made.passwordHash;
}

/** What a browser would send back. */
export const cookieOf = (answer: Response): string => (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';

/** The token that a page's forms carry. */
export const csrfIn = (page: string): string => /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '';
