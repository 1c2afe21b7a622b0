import { createHash, createHmac, createPrivateKey, randomBytes, sign } from 'node:crypto';
import { addCredential, enableCredential, type NewCredential } from '../../src/hub/credentials/credentials.ts';
import { createToken } from '../../src/hub/enrol/tokens.ts';
import { Proxies } from '../../src/hub/http/proxies.ts';
import { addKey, changeKey, rotateKey } from '../../src/hub/keys/changes.ts';
import { addOrganisation } from '../../src/hub/people/organisations.ts';
import { ABSOLUTE_MS, COOKIE, IDLE_MS } from '../../src/hub/people/session.ts';
import { addUser } from '../../src/hub/people/users.ts';
import { addServer, type Registry, removeServer } from '../../src/hub/servers.ts';
import type { Scope } from '../../src/hub/store/records.ts';
import { TestHub } from '../hub/helpers.ts';

/** What a caller is, as the table of routes speaks of it. `nobody`: no key, or none that is good; no session, or a dead one. */
export type Is =
  | { as: 'nobody' }
  | { as: 'agent'; beside?: 'admin' }
  | { as: 'credential'; role: 'admin' | 'member'; scopes: Scope[] }
  | { as: 'person'; role: 'admin' | 'member'; ours: boolean };

/** One kind of caller; `headers` are made for each request anew, for a request may end the session that it came with. */
export interface Caller {
  name: string;
  is: Is;
  headers: () => Promise<Record<string, string>> | Record<string, string>;
}

type Headers = Record<string, string>;
const FLEET: Scope[] = ['heartbeats', 'fleet', 'keys', 'admin'];
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Two organisations with the same kinds of things in each, on one hub. */
export class TwoOrganisations {
  readonly hub = new TestHub();
  ours!: Registry;
  theirs!: Registry;

  async start(): Promise<this> {
    // Each request comes from an address of its own: failures are counted by address, and here nearly all fail.
    await this.hub.start({ front: { proxies: Proxies.parse(['127.0.0.1']) } });
    this.ours = this.hub.registry;
    const made = await addOrganisation(this.ours, 'acme');
    this.theirs = { ...this.ours, org: made.id };
    return this;
  }

  async credential(hub: Registry, given: Pick<NewCredential, 'name' | 'role'> & Partial<NewCredential>): Promise<string> {
    return (await addCredential(hub, { key: 'api-key', ...given })).key ?? '';
  }

  /** Somebody who is signed in by a session of this age, ms; the headers that their browser sends. */
  async session(person: string, { age = 0, idle = 0 } = {}): Promise<{ cookie: string; csrf: string }> {
    const { store, now } = this.ours;
    const user = await store.userByName(person);
    const cookie = randomBytes(32).toString('base64url');
    const hash = sha256(cookie);
    await store.addSession({ hash, userId: user?.id ?? '', createdAt: now() - age, lastSeen: now() - idle });
    return { cookie: `${COOKIE}=${cookie}`, csrf: createHmac('sha256', cookie).update('scout-hub form').digest('base64url') };
  }

  /** The headers of a page of the hub itself. */
  async browser(person: string, dead: { age?: number; idle?: number } = {}): Promise<Headers> {
    const { cookie, csrf } = await this.session(person, dead);
    return { cookie, 'x-csrf-token': csrf, origin: this.hub.serving.hub.publicOrigin, 'sec-fetch-site': 'same-origin' };
  }
}

/** Every kind of caller there is. */
export async function callersOf(two: TwoOrganisations): Promise<Caller[]> {
  const { hub, ours, theirs } = two;
  const caller = (name: string, is: Is, headers: Caller['headers']): Caller => ({ name, is, headers });
  const keyed = (name: string, is: Is, key: string) => caller(name, is, () => ({ 'x-api-key': key }));
  const refused: Is = { as: 'nobody' };
  const old = hub.server.key;
  await rotateKey(ours, 'web-1', { graceMs: 1 });
  const multi = await addServer(ours, 'multi', 'multi', 0);
  const spare = await addKey(ours, 'multi', 'spare');
  await changeKey(ours, 'multi', 'spare', { action: 'disable', force: false });
  const gone = await addServer(ours, 'gone', 'grace', 0);
  await removeServer(ours, 'gone');
  const foreign = await addServer(theirs, 'web-1', 'grace', 0);

  const scoped = async (scope: Scope, role: 'admin' | 'member') => {
    const key = await two.credential(ours, { name: `only-${scope}-${role}`, role, scopes: [scope] });
    return keyed(`a credential of ${role} with the scope ${scope} alone`, { as: 'credential', role, scopes: [scope] }, key);
  };
  const disabled = await two.credential(ours, { name: 'disabled', role: 'admin' });
  await enableCredential(ours, 'disabled', false);
  const expired = await two.credential(ours, { name: 'expired', role: 'admin', lifeMs: 1 });
  const pair = await addCredential(ours, { name: 'pair', key: 'pair', role: 'admin' });
  const everything: Is = { as: 'credential', role: 'admin', scopes: FLEET };
  const member: Is = { as: 'credential', role: 'member', scopes: ['heartbeats', 'fleet', 'keys'] };
  const memberKey = await two.credential(ours, { name: 'member', role: 'member' });
  const adminKey = await two.credential(ours, { name: 'admin', role: 'admin' });
  const theirKey = await two.credential(theirs, { name: 'admin', role: 'admin' });
  const { token } = await createToken(ours, { server: 'new', policy: 'grace', graceMs: 0, lifeMs: 3_600_000, authority: null });

  for (const [registry, name, role] of [
    [ours, 'ann', 'admin'],
    [ours, 'bob', 'member'],
    [theirs, 'eve', 'admin'],
  ] as const)
    await addUser(registry, name, role, randomBytes(12).toString('hex'));
  const admin: Is = { as: 'person', role: 'admin', ours: true };
  const dead: Is = { as: 'nobody' };
  const without = async (name: string) => {
    const headers: Headers = await two.browser('ann');
    delete headers[name];
    return headers;
  };

  return [
    caller('nobody', { as: 'nobody' }, () => ({})),
    keyed('an unknown key', refused, randomBytes(32).toString('hex')),
    keyed('an agent', { as: 'agent' }, multi.key),
    caller('an agent that sends its key as a bearer', { as: 'agent' }, () => ({ authorization: `Bearer ${multi.key}` })),
    keyed('an agent of another organisation', { as: 'agent' }, foreign.key),
    keyed('an agent with a disabled key', refused, spare.key),
    keyed('an agent with a previous key whose window is over', refused, old),
    keyed('an agent of a removed server', refused, gone.key),
    keyed('an enrolment token in place of a key', refused, token),
    ...(await Promise.all((['heartbeats', 'fleet', 'keys'] as const).map((scope) => scoped(scope, 'member')))),
    ...(await Promise.all((['heartbeats', 'fleet', 'keys', 'admin'] as const).map((scope) => scoped(scope, 'admin')))),
    keyed('a credential of a member', member, memberKey),
    keyed('a credential of an admin: the API key of the organisation', everything, adminKey),
    caller('a key pair, by its private half', everything, () => ({ authorization: `Bearer ${pair.key}` })),
    caller('a key pair, by a token that it signed', everything, () => ({ authorization: `Bearer ${tokenOf(pair, ours.now())}` })),
    caller('a token that is too old', refused, () => ({ authorization: `Bearer ${tokenOf(pair, ours.now() - 3_600_000)}` })),
    keyed('a disabled credential', refused, disabled),
    keyed('an expired credential', refused, expired),
    keyed('a credential of another organisation', everything, theirKey),
    caller('a member', { as: 'person', role: 'member', ours: true }, () => two.browser('bob')),
    caller('an admin', admin, () => two.browser('ann')),
    caller('an admin of another organisation', admin, () => two.browser('eve')),
    caller('a session that lay idle', dead, () => two.browser('ann', { idle: IDLE_MS + 1 })),
    caller('a session that is too old', dead, () => two.browser('ann', { age: ABSOLUTE_MS + 1 })),
    caller('a cookie of nobody', dead, () => ({ cookie: `${COOKIE}=${randomBytes(32).toString('base64url')}` })),
    caller('an admin without the token of the session', { ...admin, ours: false }, () => without('x-csrf-token')),
    caller('an admin with the token of another session', { ...admin, ours: false }, async () => ({
      ...(await two.browser('ann')),
      'x-csrf-token': (await two.browser('ann'))['x-csrf-token'] ?? '',
    })),
    caller('an admin, by a page of somebody else', { ...admin, ours: false }, async () => ({
      ...(await two.browser('ann')),
      origin: 'https://evil.example',
      'sec-fetch-site': 'cross-site',
    })),
    caller('an admin, without a word of the page', { ...admin, ours: false }, async () => {
      const { origin: _, 'sec-fetch-site': __, ...headers } = await two.browser('ann');
      return headers;
    }),
    // A key is meant when it is sent, also beside a cookie; where only sessions open, it counts for nothing.
    caller('an agent with the session of an admin', { as: 'agent', beside: 'admin' }, async () => ({
      'x-api-key': multi.key,
      ...(await two.browser('ann')),
    })),
  ];
}

/** A JWT as agents sign them (SERVICES.md: RS256, `kid`, `iss`, `sub`, 300 s at most). */
function tokenOf({ credential_id, kid, key }: { credential_id: string; kid: string | null; key?: string }, now: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const iat = Math.floor(now / 1_000);
  const open = `${part({ alg: 'RS256', typ: 'JWT', kid })}.${part({ iss: 'scout', sub: credential_id, iat, exp: iat + 300 })}`;
  const secret = createPrivateKey({ key: Buffer.from(key ?? '', 'base64url'), format: 'der', type: 'pkcs8' });
  return `${open}.${sign('sha256', Buffer.from(open), secret).toString('base64url')}`;
}
