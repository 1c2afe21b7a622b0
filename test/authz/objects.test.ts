import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditLines } from '../../src/hub/audit/audit.ts';
import { addCredential, listCredentials } from '../../src/hub/credentials/credentials.ts';
import { createToken, listTokens } from '../../src/hub/enrol/tokens.ts';
import { type RouteId, routes } from '../../src/hub/http/routes.ts';
import { addKey, retireKeys, rotateKey } from '../../src/hub/keys/changes.ts';
import { addUser } from '../../src/hub/people/users.ts';
import { addServer, listServers, type Registry, showServer } from '../../src/hub/servers.ts';
import { heartbeat, packed } from '../hub/helpers.ts';
import { ask, type Row } from './ask.ts';
import { TwoOrganisations } from './callers.ts';

/*
 * Two organisations on one hub: whoever may do everything in one neither sees nor changes a thing of the other, by name,
 * by fingerprint or by id. Everything of the other has the mark in its name, or is listed in `known`.
 */

const MARK = 'zz-theirs';
const two = new TwoOrganisations();
/** What stands in answers to the other organisation only: ids, fingerprints. */
const known = new Set<string>();
/** Values of the parameters of paths that name something of theirs. */
const names: Record<string, string[]> = {};
let adminKey = '';
let theirKey = '';

async function fill(hub: Registry, mark: string): Promise<string> {
  const server = await addServer(hub, `${mark}-web`, 'multi', 0);
  const spare = await addKey(hub, `${mark}-web`, `${mark}-spare`);
  const grace = await addServer(hub, `${mark}-db`, 'grace', 60_000);
  const next = await rotateKey(hub, `${mark}-db`);
  const ci = await addCredential(hub, { name: `${mark}-ci`, key: 'api-key', role: 'admin' });
  const token = await createToken(hub, { server: `${mark}-new`, policy: 'grace', graceMs: 0, lifeMs: 3_600_000, authority: null });
  const user = await addUser(hub, `${mark}-ann`, 'admin', randomBytes(12).toString('hex'));
  const beat = heartbeat({ host: { name: `${mark}-host`, boot_time: 1 } });
  expect((await two.hub.post(packed([beat]), {}, server.key)).status).toBe(200);
  if (mark === MARK) {
    for (const { fingerprint } of [server, spare, grace, next, ci, token]) known.add(fingerprint);
    for (const id of [server.server_id, grace.server_id, ci.credential_id, user.id, beat.instance]) known.add(id);
    names.name = [`${mark}-web`, `${mark}-db`, `${mark}-ci`, `${mark}-ann`, server.server_id, ci.credential_id, user.id];
    names.key = [`${mark}-spare`, spare.fingerprint, server.fingerprint];
    names.fingerprint = [token.fingerprint];
    names.id = [ci.credential_id, `${mark}-ci`];
    theirKey = server.key;
  } else adminKey = ci.key ?? '';
  return ci.key ?? '';
}

beforeAll(async () => {
  await two.start();
  await fill(two.ours, 'ours');
  await fill(two.theirs, MARK);
});
afterAll(() => two.hub.close());

/** Everything there is of an organisation. */
async function everything(hub: Registry): Promise<unknown> {
  const servers = await listServers(hub);
  const users = (await hub.store.users(hub.org)).map(({ name, role, passwordHash }) => ({ name, role, passwordHash }));
  return {
    servers: await Promise.all(servers.map(({ name }) => showServer(hub, name))),
    credentials: await listCredentials(hub),
    tokens: await listTokens(hub),
    users,
    trail: await Array.fromAsync(auditLines(hub.store, hub.org)),
  };
}

/** Bodies that would do something, by what a route takes; forms have an `action`, of which every one is tried. */
const BODIES: Partial<Record<RouteId, object[]>> = {
  'PATCH /api/v1/servers/:name': [{ policy: 'immediate' }],
  'POST /api/v1/servers/:name/keys': [{ name: 'more' }],
  'POST /api/v1/servers/:name/keys/rotate': [{}, { grace: 0 }],
  'POST /api/v1/servers/:name/keys/retire': [{}],
  'PATCH /api/v1/servers/:name/keys/:key': [{ enabled: false, force: true }, { name: 'other' }],
  'PATCH /api/v1/credentials/:name': [{ enabled: false }, { name: 'other' }],
  'PATCH /api/v1/users/:name': [{ role: 'member' }, { password: 'another long password' }],
  'POST /api/v1/users/:name/sign-out': [{}],
};
const ACTIONS = [
  'enable',
  'disable',
  'delete',
  'rename',
  'remove',
  'role',
  'password',
  'sign-out',
  'policy',
  'rotate',
  'retire',
  'revoke',
  'add',
  '',
];
const FORM = {
  to: 'other',
  force: 'yes',
  role: 'member',
  password: 'another long password',
  policy: 'immediate',
  grace: '0s',
  window: '0s',
  sure: 'yes',
};

/** Paths of a row with every combination of what their parameters may be. */
function pathsOf({ path }: Row): string[] {
  return [...path.matchAll(/:(\w+)/g)].reduce(
    (paths, [parameter, name = '']) =>
      paths.flatMap((one) => (names[name] ?? []).map((value) => one.replace(parameter, encodeURIComponent(value)))),
    [path],
  );
}

function bodiesOf(row: Row, headers: Record<string, string>, path: string): { headers: Record<string, string>; body?: string }[] {
  if (row.method === 'GET' || row.method === 'DELETE') return [{ headers }];
  const json = { 'content-type': 'application/json', ...headers };
  if (row.face === 'api') return (BODIES[row.id] ?? []).map((body) => ({ headers: json, body: JSON.stringify(body) }));
  const { 'x-csrf-token': csrf = '', ...rest } = headers;
  const form = { 'content-type': 'application/x-www-form-urlencoded', ...rest };
  const named = decodeURIComponent(path.split('/')[2] ?? '');
  return ACTIONS.map((action) => ({ headers: form, body: new URLSearchParams({ csrf, ...FORM, action, name: named }).toString() }));
}

/** What of theirs an answer tells that was not in the request itself. */
function leaks(text: string, request: string): string[] {
  const marked = [...new Set(text.match(new RegExp(`${MARK}[\\w-]*`, 'g')) ?? [])];
  return [...marked, ...[...known].filter((one) => text.includes(one))].filter((one) => !request.includes(one));
}

describe('what is of another organisation', () => {
  const rows = routes().filter(({ who, face }) => !('open' in who) && face !== 'raw');
  const callers = [
    ['an admin who is signed in', () => two.browser('ours-ann')],
    ['a credential that may do everything', async () => ({ 'x-api-key': adminKey })],
  ] as const;

  it.each(callers)('is neither shown to nor changed by %s', async (_, headersOf) => {
    const before = await everything(two.theirs);
    const wrong: string[] = [];
    let asked = 0;
    for (const row of rows.filter(({ path }) => path.includes(':'))) {
      const paths = row.path.endsWith('/series') ? pathsOf(row).map((path) => `${path}?metric=system.cpu.time`) : pathsOf(row);
      for (const path of new Set(paths))
        for (const given of bodiesOf(row, await headersOf(), path)) {
          asked++;
          const said = await ask(two.hub, row.method, path, given);
          const away = [404, 401, 403].includes(said.status) || (row.face !== 'api' && [303, 400].includes(said.status));
          const leaked = leaks(said.text, `${decodeURIComponent(path)} ${given.body ?? ''}`);
          if (!away || leaked.length > 0) wrong.push(`${row.method} ${path} ${given.body ?? ''}: ${said.status} ${leaked.join(' ')}`);
        }
    }
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(60);
    expect(await everything(two.theirs)).toEqual(before);
  });

  it.each(callers)('stands in no list that is shown to %s', async (_, headersOf) => {
    for (const { method, path, id } of rows.filter((row) => row.method === 'GET' && !row.path.includes(':'))) {
      const said = await ask(two.hub, method, path, { headers: await headersOf() });
      expect([id, leaks(said.text, '')]).toEqual([id, []]);
    }
  });

  it('is shown to its own admin, in the same places', async () => {
    const lists: RouteId[] = [
      'GET /api/v1/servers',
      'GET /api/v1/credentials',
      'GET /api/v1/tokens',
      'GET /api/v1/users',
      'GET /api/v1/audit',
      'GET /api/v1/audit/export',
      'GET /',
      'GET /keys',
      'GET /users',
      'GET /audit',
    ];
    for (const id of lists) {
      const said = await ask(two.hub, 'GET', id.slice(4), { headers: await two.browser(`${MARK}-ann`) });
      expect([id, leaks(said.text, '').length > 0]).toEqual([id, true]);
    }
  });
});

describe('agents and credentials', () => {
  const retire = (key: string, fingerprint: string) =>
    ask(two.hub, 'POST', '/api/v1/keys/retire', {
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify({ fingerprint }),
    });

  it('end no key of another server or organisation', async () => {
    const ours = await addServer(two.ours, 'lone', 'multi', 0);
    const before = await everything(two.theirs);
    for (const fingerprint of known) {
      if (!/^[0-9a-f]{12}$/.test(fingerprint)) continue;
      for (const key of [ours.key, adminKey]) expect((await retire(key, fingerprint)).text).toContain('"retired":false');
    }
    const other = (await listServers(two.ours)).find(({ name }) => name === 'ours-web');
    const [key] = (await showServer(two.ours, 'ours-web')).keys;
    expect(other).toBeDefined();
    expect((await retire(ours.key, key?.fingerprint ?? '')).text).toContain('"retired":false');
    expect(await everything(two.theirs)).toEqual(before);
    expect(await retireKeys(two.theirs, `${MARK}-db`)).toHaveLength(1);
  });

  it('report for hosts of their own organisation only, also under the same name', async () => {
    const before = await showServer(two.theirs, `${MARK}-web`);
    const beat = heartbeat({ host: { name: `${MARK}-web`, boot_time: 1 } });
    expect((await two.hub.post(packed([beat]), {}, adminKey)).status).toBe(200);
    expect(await showServer(two.theirs, `${MARK}-web`)).toEqual(before);
    expect((await showServer(two.ours, `${MARK}-web`)).instances).toHaveLength(1);
    const whoami = await ask(two.hub, 'GET', '/api/v1/whoami', { headers: { 'x-api-key': theirKey } });
    expect(JSON.parse(whoami.text).server.name).toBe(`${MARK}-web`);
  });
});
