import type { Command } from 'commander';
import type { Policy } from '../../hub/store/store.ts';
import { formatDuration } from '../../support/durations.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { durationOption, usage, type Where, withRegistry, withRegistryOptions } from './common.ts';
import { ago, keyTable, plain } from './text.ts';

interface Options extends Where {
  json?: boolean;
}

const POLICIES: readonly string[] = ['immediate', 'grace', 'multi'] satisfies Policy[];
const servers = () => import('../../hub/servers.ts');
const now = () => Date.now();

/** `scout-hub server add|list|show|change|remove`. */
export function verb(program: Command): void {
  const server = program.command('server').description('servers whose agents report here');

  const adding = server
    .command('add <name>')
    .description('register a server; its key is printed once and kept nowhere')
    .option('--policy <policy>', 'what happens to the old key at a rotation: immediate, grace, multi', 'grace')
    .option('--grace <duration>', 'how long the old key stays good under `grace`; 0s retires it at once', '24h');
  json(adding).action(add);
  example(adding, 'scout-hub server add web-1 --policy grace --grace 24h');

  const listing = server.command('list').description('every server and how it stands');
  json(listing).action(list);
  example(listing, 'scout-hub server list --json');

  const showing = server.command('show <name>').description('one server: its keys, and what came in from each agent instance');
  json(showing).action(show);
  example(showing, 'scout-hub server show web-1');

  const changing = server
    .command('change <name>')
    .description('give a server another policy or window; its keys are held to it from the next rotation on')
    .option('--policy <policy>', 'immediate, grace, multi')
    .option('--grace <duration>', 'how long the old key stays good under `grace`');
  json(changing).action(change);
  example(changing, 'scout-hub server change web-1 --policy multi');

  const removing = server.command('remove <name>').description('forget a server, its keys and its heartbeats');
  json(removing).action(remove);
  example(removing, 'scout-hub server remove web-1');
}

const json = (command: Command) => withRegistryOptions(command).option('--json', 'one JSON document');

async function add(name: string, options: Options & { policy: string; grace: string }): Promise<void> {
  if (!POLICIES.includes(options.policy)) throw usage(`--policy ${options.policy} is none of ${POLICIES.join(', ')}`);
  const graceMs = durationOption('--grace', options.grace);
  const { addServer } = await servers();
  const added = await withRegistry(options, (hub) => addServer(hub, name, options.policy as Policy, graceMs), { begin: true });
  if (options.json) return out.json(added);
  out.line(added.key);
  out.note(`${name} is registered. Above is its key, shown this once (fingerprint ${added.fingerprint}).`);
}

async function list(options: Options): Promise<void> {
  const { listServers } = await servers();
  const all = await withRegistry(options, (hub) => listServers(hub));
  if (options.json) return out.json(all);
  const rows = all.map((one) => [
    one.name,
    one.state,
    ago(one.last_received, now()),
    one.fingerprint ?? '-',
    one.slot ?? '-',
    one.policy,
    plain(one.host_name ?? '-'),
    one.accepted,
  ]);
  out.line(table(['NAME', 'STATE', 'LAST HEARD', 'KEY', 'SLOT', 'POLICY', 'HOST', 'HEARTBEATS'], rows));
}

async function show(name: string, options: Options): Promise<void> {
  const { showServer } = await servers();
  const found = await withRegistry(options, (hub) => showServer(hub, name));
  if (options.json) return out.json(found);
  const policy = policyText(found);
  out.line(`${found.name}: ${found.state}, last heard ${ago(found.last_received, now())}; policy ${policy}; id ${found.server_id}`);
  out.line();
  out.line(keyTable(found.keys, now()));
  out.line();
  const gaps = (ranges: [number, number][]) => ranges.map(([low, high]) => (low === high ? low : `${low}-${high}`)).join(' ') || '-';
  const rows = found.instances.map((one) => [one.id, one.first_sequence, one.last_sequence, one.accepted, one.duplicates, gaps(one.gaps)]);
  out.line(table(['INSTANCE', 'FIRST', 'LAST', 'ACCEPTED', 'DUPLICATES', 'GAPS'], rows));
  const refused = Object.entries(found.refused).map(([status, count]) => `${status}: ${count}`);
  if (refused.length > 0) out.line(`\nrefused ${refused.join(', ')}`);
}

async function change(name: string, { policy, grace, ...options }: Options & { policy?: string; grace?: string }): Promise<void> {
  if (policy === undefined && grace === undefined) throw usage('give --policy or --grace');
  if (policy !== undefined && !POLICIES.includes(policy)) throw usage(`--policy ${policy} is none of ${POLICIES.join(', ')}`);
  const wanted = {
    ...(policy !== undefined && { policy: policy as Policy }),
    ...(grace !== undefined && { graceMs: durationOption('--grace', grace) }),
  };
  const { changeServer, showServer } = await servers();
  const found = await withRegistry(options, async (hub) => {
    await changeServer(hub, name, wanted);
    return showServer(hub, name);
  });
  if (options.json) return out.json(found);
  out.line(`${name} has the policy ${policyText(found)}, from the next rotation on.`);
}

const policyText = ({ policy, grace }: { policy: Policy; grace: number }): string =>
  policy === 'grace' ? `grace, ${formatDuration(grace * 1_000)}` : policy;

async function remove(name: string, options: Options): Promise<void> {
  const { removeServer } = await servers();
  await withRegistry(options, (hub) => removeServer(hub, name));
  if (options.json) return out.json({ name, removed: true });
  out.line(`${name} is removed; its key is refused from now on.`);
}
