import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../../src/hub/app.ts';
import type { Hub } from '../../../src/hub/hub.ts';
import { SqliteStore } from '../../../src/hub/sqlite-store.ts';
import { addUser } from '../../../src/hub/users.ts';
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

  async close(): Promise<void> {
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a browser would send back. */
export const cookieOf = (answer: Response): string => (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';

/** The token that a page's forms carry. */
export const csrfIn = (page: string): string => /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '';
