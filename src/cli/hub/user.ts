import type { Command } from 'commander';
import type { User } from '../../hub/store.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { cliActor, usage, withData, withStore } from './common.ts';

interface Options {
  data: string;
  json?: boolean;
}

const ROLES: readonly string[] = ['admin', 'member'] satisfies User['role'][];

/** `scout-hub user add|list`. */
export function verb(program: Command): void {
  const user = program.command('user').description('people who may sign in');

  const adding = user
    .command('add <name>')
    .description('add a person; the password comes from a prompt or from stdin')
    .requiredOption('--role <role>', 'admin or member');
  withData(adding).option('--json', 'one JSON document').action(add);
  example(adding, 'scout-hub user add ada --role admin');

  const listing = user.command('list').description('who may sign in');
  withData(listing).option('--json', 'one JSON document').action(list);
  example(listing, 'scout-hub user list');
}

async function add(name: string, options: Options & { role: string }): Promise<void> {
  if (!ROLES.includes(options.role)) throw usage(`--role ${options.role} is none of ${ROLES.join(', ')}`);
  const [{ addUser }, { newPassword }] = await Promise.all([import('../../hub/users.ts'), import('./password.ts')]);
  const password = await newPassword();
  const user = await withStore(options.data, (store) =>
    addUser(store, name, options.role as User['role'], password, { actor: cliActor(), at: Date.now() }),
  );
  if (options.json) return out.json(view(user));
  out.line(`${name} may sign in as ${user.role}.`);
}

async function list(options: Options): Promise<void> {
  const users = await withStore(options.data, (store) => store.users());
  if (options.json) return out.json(users.map(view));
  out.line(
    table(
      ['NAME', 'ROLE'],
      users.map((user) => [user.name, user.role]),
    ),
  );
}

const view = ({ id, name, role }: User) => ({ user_id: id, name, role });
