import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/hub/http/app.ts';
import { Router } from '../../src/hub/http/router.ts';
import { type RouteId, routes, type Who } from '../../src/hub/http/routes.ts';
import { ask, emptyOf, type Row, type Said } from './ask.ts';
import { type Caller, callersOf, type Is, TwoOrganisations } from './callers.ts';

/*
 * Every route × every kind of caller. What should become of each is derived here from the row alone, by rules written
 * down a second time; nothing of src/hub/http/scopes.ts or access.ts has a say.
 */

type Outcome = 'in' | 'unknown' | 'forbidden' | 'to the sign-in page';

const UNKNOWN = new Set(['key_missing', 'key_refused', 'signed_out']);

function outcomeOf({ status, code, location }: Said): Outcome | string {
  if (status === 303 && location.startsWith('/sign-in')) return 'to the sign-in page';
  if (status === 401) return code !== undefined && UNKNOWN.has(code) ? 'unknown' : `401 ${code}`;
  if (status === 403 && code === 'forbidden') return 'forbidden';
  return status < 500 ? 'in' : `${status}`;
}

/** `page`: whether the request says that it comes from a page of this hub. */
function expected({ face, method, who }: Row, is: Is, page: boolean): Outcome {
  const rules: Who = who;
  const html = face === 'page' || face === 'form';
  const foreign = is.as === 'person' && !is.ours;
  // Of what is open only the form to sign in minds where it was sent from.
  if (rules.open) return face === 'form' && !page ? 'forbidden' : 'in';
  const byKey = rules.agent || rules.scope;
  if (is.as === 'nobody') return html ? 'to the sign-in page' : 'unknown';
  if (is.as === 'agent') {
    if (is.beside && rules.session && !byKey) return 'in';
    return html ? 'to the sign-in page' : rules.agent ? 'in' : 'forbidden';
  }
  if (is.as === 'credential') {
    if (html) return 'to the sign-in page';
    if (!rules.scope) return 'forbidden';
    const reaches = rules.scope === 'any' || is.scopes.includes(rules.scope) || is.scopes.includes('admin');
    return reaches && (rules.role !== 'admin' || is.role === 'admin') ? 'in' : 'forbidden';
  }
  if (!rules.session) return byKey ? 'unknown' : 'forbidden';
  if (rules.role === 'admin' && is.role !== 'admin') return 'forbidden';
  return foreign && method !== 'GET' ? 'forbidden' : 'in';
}

const two = new TwoOrganisations();
let callers: Caller[] = [];
beforeAll(async () => {
  await two.start();
  callers = await callersOf(two);
});
afterAll(() => two.hub.close());

const pathOf = ({ path }: Row) => path.replace(/:\w+/g, 'nothing-of-this-name');

describe('every route', () => {
  it('answers every kind of caller as its row says', async () => {
    const wrong: string[] = [];
    let count = 0;
    for (const caller of callers)
      for (const row of routes()) {
        count++;
        const headers = await caller.headers();
        const said = await ask(two.hub, row.method, pathOf(row), emptyOf(row, headers));
        const due = expected(row, caller.is, headers.origin === two.hub.serving.hub.publicOrigin);
        const got = outcomeOf(said);
        // Signing out leads there: that is what it is for.
        if (got === due || (due === 'in' && got === 'to the sign-in page' && row.id === 'POST /sign-out')) continue;
        wrong.push(`${row.id} by ${caller.name}: ${got} (${said.status} ${said.code}), and ${due} was due`);
      }
    process.stdout.write(`${routes().length} routes × ${callers.length} kinds of caller: ${count} asked, ${wrong.length} wrong\n`);
    expect(wrong).toEqual([]);
    expect(count).toBe(routes().length * callers.length);
  });

  it('answers 405 to other methods, and 404 where there is nothing', async () => {
    const headers = await two.browser('ann');
    for (const [path, rows] of Map.groupBy(routes(), (row) => row.path)) {
      // Another path may take the same words: `rotate` could be the name of a key.
      const others = routes().filter((row) => new RegExp(`^${row.path.replace(/:\w+/g, '[^/]+')}$`).test(path.replace(/:\w+/g, 'x')));
      const methods = new Set([...rows, ...others].map(({ method }) => method));
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter((one) => !methods.has(one))) {
        const { status } = await ask(two.hub, method, path.replace(/:\w+/g, 'x'), { headers });
        expect([method, path, status]).toEqual([method, path, 405]);
      }
    }
    for (const path of ['/api/v1', '/api/v1/nothing', '/api/v2/servers', '/API/v1/servers', '/api/v1/servers/', '//api/v1/servers'])
      expect([path, (await ask(two.hub, 'GET', path, { headers })).status]).toEqual([path, 404]);
  });
});

describe('the table', () => {
  const router = () =>
    new Router(two.hub.serving.hub, undefined as never, undefined as never, { around: () => Promise.resolve() } as never);
  it('lets nothing be mounted that has no row, nor anything twice', () => {
    expect(() => router().on('GET /api/v1/nothing' as RouteId, (c) => c.text(''))).toThrow('no row');
    expect(() => router().on('POST /api/v1/heartbeats', (c) => c.text(''))).toThrow('no row');
    const once = router().on('GET /healthz', (c) => c.text(''));
    expect(() => once.on('GET /healthz', (c) => c.text(''))).toThrow('handler already');
  });

  it('lets no hub start that lacks a handler', () => {
    expect(() =>
      router()
        .on('GET /healthz', (c) => c.text(''))
        .finish(),
    ).toThrow('without a handler: GET /api/v1/whoami');
    expect(createApp(two.hub.serving.hub)).toBeInstanceOf(Hono);
  });

  it('names somebody in every row, and asks of every change more than of reading', () => {
    for (const { id, method, who, face } of routes()) {
      const rules: Who = who;
      expect([id, Boolean(rules.open || rules.agent || rules.scope || rules.session)]).toEqual([id, true]);
      const own = /^\w+ (\/api\/v1\/sessions?|\/account|\/sign-(in|out))/.test(id);
      if (method !== 'GET' && face !== 'raw' && !rules.open && !rules.agent && !own) expect([id, rules.role]).toEqual([id, 'admin']);
    }
  });
});
