import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ORGANISATION, type Organisation, type OrgCredential, type Store, type User } from '../../../src/hub/store/store.ts';
import { hash, incoming, registered } from './store-suite.ts';

const entry = (org: string, action: string) => ({ org, at: 5, actor: 'cli:ann', action, subject: 'x', detail: {}, address: null });

/** What every store must do for organisations that share it. */
export function describeOrganisations(store: () => Store): void {
  const add = async (name: string): Promise<string> => {
    const made: Organisation = { id: randomUUID(), name, createdAt: 7 };
    await store().addOrganisation(made, entry(DEFAULT_ORGANISATION, 'organisation.add'));
    return made.id;
  };
  const credential = (org: string, name: string, over: Partial<OrgCredential> = {}): OrgCredential => ({
    id: randomUUID(),
    org,
    name,
    role: 'member',
    scopes: ['heartbeats'],
    kid: randomBytes(32).toString('hex'),
    publicKey: null,
    enabled: true,
    createdAt: 1,
    expiresAt: null,
    lastUsed: null,
    ...over,
  });
  const user = (org: string, name: string): User => ({ id: randomUUID(), org, name, role: 'admin', passwordHash: 'x' });
  const inOrg = (org: string, name: string) => {
    const made = registered(name);
    return { ...made, server: { ...made.server, org } };
  };

  describe('organisations', () => {
    it('has the default one, and others by name', async () => {
      expect(await store().organisations()).toMatchObject([{ id: DEFAULT_ORGANISATION, name: 'default' }]);
      const acme = await add('acme');
      expect((await store().organisations()).map(({ name }) => name)).toEqual(['acme', 'default']);
      expect(await store().organisationByName('acme')).toEqual({ id: acme, name: 'acme', createdAt: 7 });
      expect(await store().organisationByName('other')).toBeUndefined();
      await expect(add('acme')).rejects.toMatchObject({ code: 'HUB_ORGANISATION_EXISTS' });
    });

    it('changes the policy and window of a server, and says when there is none', async () => {
      const { server, key } = registered('web-1');
      await store().addServer(server, key);
      const changed = { ...server, policy: 'multi' as const, graceMs: 0 };
      expect(await store().changeServer(changed, entry(server.org, 'server.change'))).toBe(true);
      expect(await store().serverByName(server.org, 'web-1')).toEqual(changed);
      expect(await store().changeServer(inOrg(server.org, 'none').server, entry(server.org, 'server.change'))).toBe(false);
      expect((await store().auditTrail(server.org, 1, 10)).map(({ action }) => action)).toEqual(['server.change']);
    });

    it('keeps what is theirs apart, under the same names', async () => {
      const acme = await add('acme');
      const [ours, theirs] = [registered('web-1'), inOrg(acme, 'web-1')];
      for (const { server, key } of [ours, theirs]) await store().addServer(server, key, entry(server.org, 'server.add'));
      await expect(store().addServer(inOrg(acme, 'web-1').server, inOrg(acme, 'web-1').key)).rejects.toMatchObject({
        code: 'HUB_SERVER_EXISTS',
      });
      expect(await store().servers(acme)).toEqual([theirs.server]);
      expect(await store().serverByName(DEFAULT_ORGANISATION, 'web-1')).toEqual(ours.server);
      expect(await store().findKey(theirs.key.hash)).toMatchObject({ server: theirs.server });
      expect(await store().fleet(acme)).toMatchObject([{ server: theirs.server, accepted: 0 }]);
      expect(await store().standing(acme, 'web-1')).toMatchObject({ server: theirs.server });

      const [a, b] = [credential(DEFAULT_ORGANISATION, 'ci'), credential(acme, 'ci')];
      await store().changeCredentials(DEFAULT_ORGANISATION, () => ({ put: [a] }));
      await store().changeCredentials(acme, (all) => {
        expect(all).toEqual([]);
        return { put: [b], drop: [a.id] };
      });
      expect(await store().credentials(DEFAULT_ORGANISATION)).toEqual([a]);
      expect(await store().credentials(acme)).toEqual([b]);
      expect(await store().credentialByKid(b.kid)).toEqual(b);

      const by = { actor: 'credential:ci', family: 'ci', address: null, most: 1 };
      expect(await store().serverForHost(acme, 'new-1', 9, by)).toMatchObject({ org: acme });
      expect(await store().serverForHost(DEFAULT_ORGANISATION, 'new-1', 9, by)).toMatchObject({ org: DEFAULT_ORGANISATION });
      expect(await store().serverForHost(acme, 'new-2', 9, by)).toBeUndefined();

      await store().accept(theirs.server, theirs.key, [incoming('i', 1)], 1_000);
      expect(await store().standing(acme, 'web-1')).toMatchObject({ accepted: 1 });
      expect(await store().standing(DEFAULT_ORGANISATION, 'web-1')).toMatchObject({ accepted: 0 });
    });

    it('gives each an audit trail of its own', async () => {
      const acme = await add('acme');
      for (const org of [acme, DEFAULT_ORGANISATION, acme]) await store().audit(entry(org, `in.${org === acme ? 'acme' : 'default'}`));
      const actions = async (org: string) => (await store().auditTrail(org, 1, 9)).map(({ seq, action }) => [seq, action]);
      expect(await actions(acme)).toEqual([
        [1, 'in.acme'],
        [2, 'in.acme'],
      ]);
      expect(await actions(DEFAULT_ORGANISATION)).toEqual([
        [1, 'organisation.add'],
        [2, 'in.default'],
      ]);
    });

    it('are removed with their people, credentials and tokens once they have no servers', async () => {
      const acme = await add('acme');
      const { server, key } = inOrg(acme, 'web-1');
      await store().addServer(server, key);
      await store().changeCredentials(acme, () => ({ put: [credential(acme, 'ci')] }));
      await store().addUser(user(acme, 'ann'));
      const refused = { code: 'HUB_ORGANISATION_IN_USE' };
      await expect(store().removeOrganisation(acme)).rejects.toMatchObject(refused);
      await expect(store().removeOrganisation(DEFAULT_ORGANISATION)).rejects.toMatchObject(refused);
      await store().removeServer(server.id);
      await store().removeOrganisation(acme, entry(DEFAULT_ORGANISATION, 'organisation.remove'));
      expect(await store().organisations()).toHaveLength(1);
      expect(await store().credentials(acme)).toEqual([]);
      expect(await store().userByName('ann')).toBeUndefined();
    });
  });

  describe('people', () => {
    it('change their password, which ends their sessions, and go', async () => {
      const ann = user(DEFAULT_ORGANISATION, 'ann');
      await store().addUser(ann);
      await store().addUser(user(DEFAULT_ORGANISATION, 'bob'));
      const open = async () => {
        const session = { hash: hash(), userId: ann.id, createdAt: 1, lastSeen: 1 };
        await store().addSession(session);
        return session.hash;
      };
      const first = await open();
      expect(await store().changeUser(ann.id, { role: 'member' })).toEqual({ ...ann, role: 'member' });
      expect(await store().session(first)).toMatchObject({ user: { role: 'member' } });
      const changed = await store().changeUser(ann.id, { passwordHash: 'y' }, entry(DEFAULT_ORGANISATION, 'user.password'));
      // Whoever is made a member while another password is being hashed stays one.
      expect(changed).toEqual({ ...ann, role: 'member', passwordHash: 'y' });
      expect(await store().session(first)).toBeUndefined();
      expect(await store().userByName('ann')).toMatchObject({ passwordHash: 'y' });
      const [second, third] = [await open(), await open()];
      expect(await store().removeSessions(ann.id)).toBe(2);
      expect(await store().session(second)).toBeUndefined();
      expect(await store().session(third)).toBeUndefined();
      const fourth = await open();
      expect(await store().removeUser(ann.id, entry(DEFAULT_ORGANISATION, 'user.remove'))).toBe(true);
      expect(await store().removeUser(ann.id)).toBe(false);
      expect(await store().changeUser(ann.id, { role: 'admin' })).toBeUndefined();
      expect(await store().session(fourth)).toBeUndefined();
      expect((await store().auditTrail(DEFAULT_ORGANISATION, 1, 9)).map(({ action }) => action)).toEqual(['user.password', 'user.remove']);
    });

    it('keep one admin an organisation, whoever asks at once', async () => {
      const acme = await add('acme');
      const [ann, bob, eve] = [user(acme, 'ann'), user(acme, 'bob'), { ...user(acme, 'eve'), role: 'member' as const }];
      for (const one of [ann, bob, eve, user(DEFAULT_ORGANISATION, 'zoe')]) await store().addUser(one);
      const last = { code: 'HUB_USER_LAST' };
      const both = await Promise.allSettled([store().removeUser(ann.id), store().changeUser(bob.id, { role: 'member' })]);
      expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: last });
      const [left] = (await store().users(acme)).filter(({ role }) => role === 'admin') as [User];
      await expect(store().removeUser(left.id, entry(acme, 'user.remove'))).rejects.toMatchObject(last);
      await expect(store().changeUser(left.id, { role: 'member' }, entry(acme, 'user.role'))).rejects.toMatchObject(last);
      expect(await store().changeUser(left.id, { passwordHash: 'y' })).toMatchObject({ role: 'admin', passwordHash: 'y' });
      expect(await store().removeUser(eve.id)).toBe(true);
      expect((await store().auditTrail(acme, 1, 9)).map(({ action }) => action)).not.toContain('user.role');
    });
  });
}
