import type { Command } from 'commander';
import type { User } from '../../hub/store/store.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { usage, type Where, withRegistry, withRegistryOptions } from './common.ts';

interface Options extends Where {
  json?: boolean;
}

const ROLES: readonly string[] = ['admin', 'member'] satisfies User['role'][];

/** `scout-hub user add|list|role|password|sign-out|remove`. */
export function verb(program: Command): void {
  const user = program.command('user').description('people who may sign in');

  const adding = user
    .command('add <name>')
    .description('add a person; the password comes from a prompt or from stdin')
    .requiredOption('--role <role>', 'admin or member');
  withRegistryOptions(adding).option('--json', 'one JSON document').action(add);
  example(adding, 'scout-hub user add ada --role admin');

  const listing = user.command('list').description('who may sign in');
  withRegistryOptions(listing).option('--json', 'one JSON document').action(list);
  example(listing, 'scout-hub user list');

  const password = user
    .command('password <name>')
    .description('give a person another password, from a prompt or from stdin; ends their sessions');
  withRegistryOptions(password).option('--json', 'one JSON document').action(change);
  example(password, 'scout-hub user password ada');

  const role = user
    .command('role <name>')
    .description('make a person an admin or a member')
    .requiredOption('--role <role>', 'admin or member');
  withRegistryOptions(role).option('--json', 'one JSON document').action(changeOfRole);
  example(role, 'scout-hub user role ada --role member');

  const ending = user.command('sign-out <name>').description('end every session of a person');
  withRegistryOptions(ending).option('--json', 'one JSON document').action(signOut);
  example(ending, 'scout-hub user sign-out ada');

  const removing = user.command('remove <name>').description('let a person sign in no more; ends their sessions');
  withRegistryOptions(removing).option('--json', 'one JSON document').action(remove);
  example(removing, 'scout-hub user remove ada');
}

async function add(name: string, options: Options & { role: string }): Promise<void> {
  if (!ROLES.includes(options.role)) throw usage(`--role ${options.role} is none of ${ROLES.join(', ')}`);
  const [{ addUser }, { newPassword }] = await Promise.all([import('../../hub/people/users.ts'), import('./password.ts')]);
  const password = await newPassword();
  const user = await withRegistry(options, (hub) => addUser(hub, name, options.role as User['role'], password));
  if (options.json) return out.json(view(user));
  out.line(`${name} may sign in as ${user.role}.`);
}

async function list(options: Options): Promise<void> {
  const users = await withRegistry(options, (hub) => hub.store.users(hub.org));
  if (options.json) return out.json(users.map(view));
  out.line(
    table(
      ['NAME', 'ROLE'],
      users.map((user) => [user.name, user.role]),
    ),
  );
}

async function change(name: string, options: Options): Promise<void> {
  const [{ changePassword }, { newPassword }] = await Promise.all([import('../../hub/people/users.ts'), import('./password.ts')]);
  const password = await newPassword();
  const user = await withRegistry(options, (hub) => changePassword(hub, name, password));
  if (options.json) return out.json(view(user));
  out.line(`${name} has another password, and is signed out everywhere.`);
}

async function changeOfRole(name: string, options: Options & { role: string }): Promise<void> {
  if (!ROLES.includes(options.role)) throw usage(`--role ${options.role} is none of ${ROLES.join(', ')}`);
  const { changeRole } = await import('../../hub/people/users.ts');
  const user = await withRegistry(options, (hub) => changeRole(hub, name, options.role as User['role']));
  if (options.json) return out.json(view(user));
  out.line(`${name} is ${user.role === 'admin' ? 'an admin' : 'a member'} from the next request on.`);
}

async function signOut(name: string, options: Options): Promise<void> {
  const { signOutEverywhere } = await import('../../hub/people/users.ts');
  const ended = await withRegistry(options, (hub) => signOutEverywhere(hub, name));
  if (options.json) return out.json({ ended });
  out.line(`${name} is signed out everywhere: ${ended} ${ended === 1 ? 'session' : 'sessions'} ended.`);
}

async function remove(name: string, options: Options): Promise<void> {
  const { removeUser } = await import('../../hub/people/users.ts');
  const user = await withRegistry(options, (hub) => removeUser(hub, name));
  if (options.json) return out.json({ ...view(user), removed: true });
  out.line(`${name} may sign in no more, and is signed out everywhere.`);
}

const view = ({ id, name, role }: User) => ({ user_id: id, name, role });
