import { html } from 'hono/html';
import { ScoutError } from '../../support/errors.ts';
import { param } from '../http/requests.ts';
import type { Person } from '../people/session.ts';
import { addUser, changePassword, changeRole, removeUser, signOutEverywhere } from '../people/users.ts';
import type { Registry } from '../servers.ts';
import type { User } from '../store/store.ts';
import type { Markup } from './format.ts';
import { choices, crumbs, field, listTable, postForm } from './parts.ts';
import type { Site } from './site.ts';

const ROLES: [value: User['role'], label: string, hint: string][] = [
  ['member', 'Member', 'sees everything, changes nothing'],
  ['admin', 'Admin', 'changes keys, credentials and people'],
];

/** Mounts the people of the organisation: listed, added, given another role or password, signed out, removed. */
export function mountUsers(site: Site): void {
  site.on('GET /users', async (c, hub) => {
    const users = await hub.store.users(hub.org);
    return site.show(c, { title: 'People', section: 'users', body: listBody(users, c.get('person')) });
  });
  site.on('POST /users', async (c, hub) => {
    const { name = '', role, password = '' } = c.get('form');
    await addUser(hub, name.trim(), roleOf(role), password);
    return site.done(c, '/users', 'user-added');
  });

  site.on('GET /users/:name', async (c, hub) => {
    const user = await found(hub, param(c, 'name'));
    return site.show(c, { title: user.name, section: 'users', body: oneBody(user, c.get('person')) });
  });
  site.on('POST /users/:name', async (c, hub) => {
    const { name } = await found(hub, param(c, 'name'));
    const { action, role, password = '' } = c.get('form');
    const done = (word: string) => site.done(c, '/users', word);
    if (action === 'role') {
      await changeRole(hub, name, roleOf(role));
      return done('user-role');
    }
    if (action === 'password') {
      await changePassword(hub, name, password);
      return done('user-password');
    }
    if (action === 'sign-out') {
      await signOutEverywhere(hub, name);
      return done('user-signed-out');
    }
    if (action !== 'remove') throw new ScoutError('HUB_FORM', { detail: 'nothing was chosen' });
    await removeUser(hub, name);
    return done('user-removed');
  });
}

function roleOf(text: string | undefined): User['role'] {
  if (text !== 'admin' && text !== 'member') throw new ScoutError('HUB_FORM', { detail: 'no role was chosen' });
  return text;
}

async function found(hub: Registry, name: string): Promise<User> {
  const user = (await hub.store.users(hub.org)).find((one) => one.name === name);
  if (!user) throw new ScoutError('HUB_USER_UNKNOWN', { name: '…' });
  return user;
}

/** A field for a new password. */
export const passwordField = (label = 'Password'): Markup =>
  field(
    'password',
    label,
    html`<input id="password" name="password" type="password" required minlength="10" maxlength="1024" autocomplete="new-password" aria-describedby="password-hint">`,
    'At least 10 characters.',
  );

const userUrl = (name: string): string => `/users/${encodeURIComponent(name)}`;

function listBody(users: User[], person: Person): Markup {
  const rows = users.map(({ name, role }) => [
    html`<a href="${userUrl(name)}">${name}</a>${name === person.name && html` <small class="quiet">you</small>`}`,
    html`${role}`,
    html`<a href="/audit?who=${encodeURIComponent(`user:${name}`)}">what they did<span class="hidden">: ${name}</span></a>`,
  ]);
  const input = html`<input id="name" name="name" required maxlength="128" autocomplete="off" spellcheck="false" autocapitalize="none">`;
  return html`<div class="title"><h1>People</h1></div>
${listTable(['Name', 'Role', 'In the audit trail'], rows)}
<section class="panel form-panel" aria-labelledby="add-title"><h2 id="add-title">Add somebody</h2>
${postForm(
  person,
  '/users',
  html`<div class="form-columns"><div>${field('name', 'Name', input)}${passwordField('First password')}</div><div>${choices('role', 'Role', ROLES, 'member')}</div></div><p class="actions"><button class="primary">Add</button></p>`,
)}</section>`;
}

function oneBody({ name, role }: User, person: Person): Markup {
  const url = userUrl(name);
  const button = (label: string, kind: string) => html`<p class="actions"><button class="${kind}">${label}</button></p>`;
  const self = name === person.name;
  return html`${crumbs([['/users', 'People']], name)}
<div class="narrow"><h1>${name}</h1>
<section class="panel"><h2>Role</h2>${postForm(person, url, html`${choices('role', 'Role', ROLES, role)}${self && role === 'admin' && html`<p class="quiet">This is you: as a member you cannot take it back.</p>`}${button('Keep', 'primary')}`, { action: 'role' })}</section>
${
  self
    ? html`<p>Your own password and sessions are on <a href="/account">your account’s page</a>.</p>`
    : html`<section class="panel"><h2>Another password</h2><p>Every session of ${name} ends.</p>${postForm(person, url, html`${passwordField('New password')}${button('Set it', '')}`, { action: 'password' })}</section>
<section class="panel"><h2>Sign out everywhere</h2>${postForm(person, url, button(`End every session of ${name}`, ''), { action: 'sign-out' })}</section>`
}
<section class="panel"><h2>Remove</h2><p>${self ? 'You are signed out at once' : `${name} is signed out at once`}; what was done stays in the audit trail.</p>${postForm(person, url, button(`Remove ${name}`, 'danger'), { action: 'remove' })}</section></div>`;
}
