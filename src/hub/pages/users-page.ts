import { html } from 'hono/html';
import { ScoutError } from '../../support/errors.ts';
import { param } from '../http/requests.ts';
import type { Person } from '../people/session.ts';
import { addUser, changePassword, changeRole, removeUser, signOutEverywhere } from '../people/users.ts';
import type { Registry } from '../servers.ts';
import type { User } from '../store/store.ts';
import { Form, FormError, type Sent, submit } from './form.ts';
import type { Markup } from './format.ts';
import { crumbs, listTable } from './parts.ts';
import type { Handler, PageContext, Shown, Site } from './site.ts';

const ROLES: [value: User['role'], label: string, hint: string][] = [
  ['member', 'Member', 'sees everything, changes nothing'],
  ['admin', 'Admin', 'changes keys, credentials and people'],
];

/** Mounts the people of the organisation: listed, added, given another role or password, signed out, removed. */
export function mountUsers(site: Site): void {
  const list = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const users = await hub.store.users(hub.org);
    return { title: 'People', section: 'users', body: listBody(users, c.get('person'), sent) };
  };
  site.on('GET /users', async (c, hub) => site.show(c, await list(c, hub)));
  const add: Handler = async (c, hub) => {
    const { name = '', role, password = '' } = c.get('form');
    await addUser(hub, name.trim(), roleOf(role), password);
    return site.done(c, '/users', 'user-added');
  };
  site.form('POST /users', add, list);

  const one = async (c: PageContext, hub: Registry, sent?: Sent): Promise<Shown> => {
    const user = await found(hub, param(c, 'name'));
    return { title: user.name, section: 'users', body: oneBody(user, c.get('person'), sent) };
  };
  site.on('GET /users/:name', async (c, hub) => site.show(c, await one(c, hub)));
  const change: Handler = async (c, hub) => {
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
    if (action !== 'remove') throw new FormError(undefined, 'nothing was chosen');
    await removeUser(hub, name);
    return done('user-removed');
  };
  site.form('POST /users/:name', change, one);
}

function roleOf(text: string | undefined): User['role'] {
  if (text !== 'admin' && text !== 'member') throw new FormError(undefined, 'no role was chosen');
  return text;
}

async function found(hub: Registry, name: string): Promise<User> {
  const user = (await hub.store.users(hub.org)).find((one) => one.name === name);
  if (!user) throw new ScoutError('HUB_USER_UNKNOWN', { name: '…' });
  return user;
}

/** A field for a new password. */
export const passwordField = (form: Form, label: string): Markup =>
  form.password('password', label, {
    hint: 'At least 10 characters.',
    with: { required: true, minlength: 10, maxlength: 1024, autocomplete: 'new-password' },
  });

const userUrl = (name: string): string => `/users/${encodeURIComponent(name)}`;

function listBody(users: User[], person: Person, sent?: Sent): Markup {
  const form = new Form(person, '/users', sent);
  const rows = users.map(({ name, role }) => [
    html`<a href="${userUrl(name)}">${name}</a>${name === person.name && html` <small class="quiet">you</small>`}`,
    html`${role}`,
    html`<a href="/audit?who=${encodeURIComponent(`user:${name}`)}">what they did<span class="hidden">: ${name}</span></a>`,
  ]);
  return html`<div class="title"><h1>People</h1></div>
${listTable(['Name', 'Role', 'In the audit trail'], rows)}
<section class="panel form-panel" aria-labelledby="add-title"><h2 id="add-title">Add somebody</h2>
${form.markup(
  html`<div class="form-columns"><div>${form.text('name', 'Name', { with: { required: true, maxlength: 128 } })}${passwordField(form, 'First password')}</div><div>${form.choices('role', 'Role', ROLES, 'member')}</div></div>`,
  submit('Add'),
)}</section>`;
}

function oneBody({ name, role }: User, person: Person, sent?: Sent): Markup {
  const form = (action: string) => new Form(person, userUrl(name), sent, action);
  const [roles, password] = [form('role'), form('password')];
  const self = name === person.name;
  return html`${crumbs([['/users', 'People']], name)}
<div class="narrow"><h1>${name}</h1>
<section class="panel"><h2>Role</h2>${roles.markup(roles.choices('role', 'Role', ROLES, role), self && role === 'admin' && html`<p class="quiet">This is you: as a member you cannot take it back.</p>`, submit('Keep'))}</section>
${
  self
    ? html`<p>Your own password and sessions are on <a href="/account">your account’s page</a>.</p>`
    : html`<section class="panel"><h2>Another password</h2><p>Every session of ${name} ends.</p>${password.markup(passwordField(password, 'New password'), submit('Set it', ''))}</section>
<section class="panel"><h2>Sign out everywhere</h2>${form('sign-out').markup(submit(`End every session of ${name}`, ''))}</section>`
}
<section class="panel"><h2>Remove</h2><p>${self ? 'You are signed out at once' : `${name} is signed out at once`}; what was done stays in the audit trail.</p>${form('remove').markup(submit(`Remove ${name}`, 'danger'))}</section></div>`;
}
