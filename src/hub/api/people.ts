import type { Context } from 'hono';
import { getCookie } from 'hono/cookie';
import { newUserSchema, ownPasswordSchema, userChangeSchema } from '../../protocol/management.ts';
import { Refusal } from '../http/problems.ts';
import { bodyOf, param } from '../http/requests.ts';
import type { Router } from '../http/router.ts';
import type { Hub } from '../hub.ts';
import { endSession, setSession } from '../people/cookies.ts';
import { COOKIE, type Sessions } from '../people/session.ts';
import { addUser, changePassword, changeRole, removeUser, signOutEverywhere } from '../people/users.ts';
import type { User } from '../store/store.ts';

const viewOf = ({ id, name, role }: User) => ({ user_id: id, name, role });

/** Mounts who may sign in, and what each may do with a session of their own. */
export function mountPeople(router: Router, hub: Hub, sessions: Sessions): void {
  router.on('GET /api/v1/users', async (c) => {
    const { store, org } = c.get('registry');
    return c.json((await store.users(org)).map(viewOf));
  });

  router.on('POST /api/v1/users', async (c) => {
    const { name, role, password } = await bodyOf(c, newUserSchema, 'invalid');
    return c.json(viewOf(await addUser(c.get('registry'), name, role, password)), 201);
  });

  router.on('PATCH /api/v1/users/:name', async (c) => {
    const [registry, name, wanted] = [c.get('registry'), param(c, 'name'), await bodyOf(c, userChangeSchema, 'invalid')];
    if ('role' in wanted) return c.json(viewOf(await changeRole(registry, name, wanted.role)));
    return c.json(viewOf(await changePassword(registry, name, wanted.password)));
  });

  router.on('DELETE /api/v1/users/:name', async (c) => {
    await removeUser(c.get('registry'), param(c, 'name'));
    return c.body(null, 204);
  });

  router.on('POST /api/v1/users/:name/sign-out', async (c) =>
    c.json({ ended: await signOutEverywhere(c.get('registry'), param(c, 'name')) }),
  );

  mountOwn(router, hub, sessions);
}

function mountOwn(router: Router, hub: Hub, sessions: Sessions): void {
  router.on('GET /api/v1/session', async (c) => {
    const { name, role, org, csrf } = c.get('person');
    const organisation = (await hub.store.organisations()).find((one) => one.id === org)?.name ?? '';
    return c.json({ name, role, organisation, csrf });
  });

  router.on('POST /api/v1/session/password', async (c) => {
    const { old_password: old, password } = await bodyOf(c, ownPasswordSchema, 'invalid');
    const result = await sessions.changePassword(c.get('registry'), c.get('person'), { old, password });
    if (!result.ok) throw refusalFor(result);
    setSession(c, result);
    return c.body(null, 204);
  });

  const signedOut = (c: Context) => {
    endSession(c);
    return c.body(null, 204);
  };
  router.on('DELETE /api/v1/session', async (c) => {
    await sessions.end(getCookie(c, COOKIE));
    return signedOut(c);
  });
  router.on('DELETE /api/v1/sessions', async (c) => {
    await signOutEverywhere(c.get('registry'), c.get('person').name);
    return signedOut(c);
  });
}

function refusalFor(result: { reason: 'refused' } | { reason: 'wait'; seconds: number }): Refusal {
  if (result.reason === 'refused') return new Refusal('password_wrong', 'The old password is wrong.');
  return new Refusal('too_many', 'Too many wrong passwords.', { headers: { 'retry-after': String(result.seconds) } });
}
