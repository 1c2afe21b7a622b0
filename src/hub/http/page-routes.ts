import type { Route, Who } from './routes.ts';

const row = (face: Route['face'], who: Who, summary: string): Route => ({ face, who, summary });

const PEOPLE: Who = { session: true };
const ADMINS: Who = { session: true, role: 'admin' };

/** The rows of the table (routes.ts) that are pages, the forms on them, and what they load. Everybody sees the fleet,
 * its keys and credentials; the rest, and every change, is for admins. */
export const PAGE_ROUTES = {
  'GET /': row('page', PEOPLE, 'The fleet'),
  'GET /events': row('api', PEOPLE, 'Live updates of a page, as server-sent events'),
  'GET /servers/:name': row('page', PEOPLE, 'One server'),
  'GET /servers/:name/rotate': row('page', ADMINS, 'What rotating the key of a server would do'),
  'POST /servers/:name/rotate': row('form', ADMINS, 'Make a new key for a server, shown once'),
  'GET /servers/:name/retire': row('page', ADMINS, 'What retiring the previous keys would do'),
  'POST /servers/:name/retire': row('form', ADMINS, 'End the previous keys of a server'),
  'GET /servers/:name/add-key': row('page', ADMINS, 'The form for a further key (multi)'),
  'POST /servers/:name/add-key': row('form', ADMINS, 'Make a key beside the others (multi), shown once'),
  'GET /servers/:name/keys/:key': row('page', ADMINS, 'One key of a server (multi)'),
  'POST /servers/:name/keys/:key': row('form', ADMINS, 'Enable, disable, rename or delete a key (multi)'),
  'GET /servers/:name/settings': row('page', ADMINS, 'Policy and removal of a server'),
  'POST /servers/:name/settings': row('form', ADMINS, 'Give a server another policy, or remove it'),
  'GET /add-server': row('page', ADMINS, 'The form for a new server'),
  'POST /add-server': row('form', ADMINS, 'Register a server; its key is shown once'),
  'GET /keys': row('page', PEOPLE, 'The keys of every server, by age'),
  'GET /credentials': row('page', PEOPLE, 'Credentials of the organisation'),
  'POST /credentials': row('form', ADMINS, 'Add a credential; what is made here is shown once'),
  'GET /credentials/:id': row('page', ADMINS, 'One credential'),
  'POST /credentials/:id': row('form', ADMINS, 'Enable, disable, rename or delete a credential'),
  'GET /tokens': row('page', ADMINS, 'Tokens by which new hosts enrol'),
  'POST /tokens': row('form', ADMINS, 'Make a token, shown once, or revoke one'),
  'GET /audit': row('page', ADMINS, 'The audit trail'),
  'GET /audit/export': row('page', ADMINS, 'The whole audit trail as a file'),
  'GET /users': row('page', ADMINS, 'The people of the organisation'),
  'POST /users': row('form', ADMINS, 'Add somebody'),
  'GET /users/:name': row('page', ADMINS, 'One account'),
  'POST /users/:name': row('form', ADMINS, 'Change the role or the password of an account, end its sessions, remove it'),
  'GET /account': row('page', PEOPLE, 'One\u2019s own account'),
  'POST /account': row('form', PEOPLE, 'Change one\u2019s own password or appearance, sign out everywhere'),
  'GET /sign-in': row('page', { open: true }, 'The form to sign in'),
  'POST /sign-in': row('form', { open: true }, 'Sign in'),
  'POST /sign-out': row('form', PEOPLE, 'Sign out'),
  'GET /assets/:name': row('plain', { open: true }, 'Styles and scripts of the pages'),
} as const satisfies Record<string, Route>;
