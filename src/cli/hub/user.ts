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

  const make = (usage: string, text: string, shown: string) => {
    const command = withRegistryOptions(user.command(usage).description(text)).option('--json', 'one JSON document');
    return example(command, `scout-hub user ${shown}`);
  };
  make('add <name>', 'add a person; the password comes from a prompt or from stdin', 'add ada --role admin')
    .requiredOption('--role <role>', 'admin or member')
    .action(add);
  make('list', 'who may sign in', 'list').action(list);
  make('password <name>', 'give a person another password, from a prompt or from stdin; ends their sessions', 'password ada').action(
    change,
  );
  make('role <name>', 'make a person an admin or a member', 'role ada --role member')
    .requiredOption('--role <role>', 'admin or member')
    .action(changeOfRole);
  make('sign-out <name>', 'end every session of a person', 'sign-out ada').action(signOut);
  make('remove <name>', 'let a person sign in no more; ends their sessions', 'remove ada').action(remove);
}

async function add(name: string, options: Options & { role: string }): Promise<void> {
  if (!ROLES.includes(options.role)) throw usage(`--role ${options.role} is none of ${ROLES.join(', ')}`);
  const [{ addUser }, { newPassword }] = await Promise.all([import('../../hub/people/users.ts'), import('./password.ts')]);
  const password = await newPassword();
  const user = await withRegistry(options, (hub) => addUser(hub, name, options.role as User['role'], password), { begin: true });
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
