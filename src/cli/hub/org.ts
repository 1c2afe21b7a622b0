import type { Command } from 'commander';
import type { Place } from '../../hub/store/open.ts';
import type { Organisation } from '../../hub/store/store.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { withData, withRegistry } from './common.ts';

interface Options extends Place {
  json?: boolean;
}

const organisations = () => import('../../hub/people/organisations.ts');
/** What changes organisations is told in the trail of the one that every hub has. */
const everywhere = ({ data, database }: Options) => ({ data, database, org: 'default' });

/** `scout-hub org add|list|remove`. */
export function verb(program: Command): void {
  const org = program.command('org').description('organisations: each with servers, credentials and people of its own');
  const make = (usage: string, text: string, shown: string) => {
    const command = withData(org.command(usage).description(text)).option('--json', 'one JSON document');
    return example(command, `scout-hub org ${shown}`);
  };
  make('add <name>', 'make an organisation; other verbs act in it with --org', 'add acme').action(add);
  make('list', 'every organisation', 'list').action(list);
  make('remove <name>', 'remove an organisation that has no servers, with its people and credentials', 'remove acme').action(remove);
}

async function add(name: string, options: Options): Promise<void> {
  const { addOrganisation } = await organisations();
  const made = await withRegistry(everywhere(options), (hub) => addOrganisation(hub, name), { begin: true });
  if (options.json) return out.json(view(made));
  out.line(`${name} is made. Its first server: scout-hub server add --org ${name} web-1`);
}

async function list(options: Options): Promise<void> {
  const all = await withRegistry(everywhere(options), (hub) => hub.store.organisations());
  if (options.json) return out.json(all.map(view));
  const rows = all.map((one) => [one.name, new Date(one.createdAt).toISOString()]);
  out.line(table(['NAME', 'CREATED'], rows));
}

async function remove(name: string, options: Options): Promise<void> {
  const { removeOrganisation } = await organisations();
  await withRegistry(everywhere(options), (hub) => removeOrganisation(hub, name));
  if (options.json) return out.json({ name, removed: true });
  out.line(`${name} is removed, with its people and credentials; its audit trail stays.`);
}

const view = ({ id, name, createdAt }: Organisation) => ({ org_id: id, name, created: new Date(createdAt).toISOString() });
