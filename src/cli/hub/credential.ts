import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { CredentialView } from '../../hub/credentials.ts';
import type { Registry } from '../../hub/servers.ts';
import type { OrgCredential, Scope } from '../../hub/store.ts';
import { detailOf, ScoutError } from '../../support/errors.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { cliActor, durationOption, usage, withData, withStore } from './common.ts';
import { ago } from './text.ts';

interface Options {
  data: string;
  json?: boolean;
}

interface AddOptions extends Options {
  publicKey: string;
  role: string;
  scope?: string[];
  expires?: string;
}

const ROLES: readonly string[] = ['admin', 'member'] satisfies OrgCredential['role'][];
const now = () => Date.now();
const credentials = () => import('../../hub/credentials.ts');

/** Opens the store for one verb, in the name of whoever runs it. */
function work<T>({ data }: Options, what: (hub: Registry) => Promise<T>): Promise<T> {
  return withStore(data, (store) => what({ store, now, actor: cliActor() }));
}

/** `scout-hub credential add|list|enable|disable|rename|delete`. */
export function verb(program: Command): void {
  const credential = program
    .command('credential')
    .description('credentials of the organisation: key pairs of which the hub has the public half');
  const make = (usage: string, text: string, shown: string) => {
    const command = withData(credential.command(usage).description(text)).option('--json', 'one JSON document');
    return example(command, `scout-hub credential ${shown}`);
  };
  make('add <name>', 'let in whoever signs with a private key', 'add ci --public-key ci.pub --role member --expires 365d')
    .requiredOption('--public-key <file>', 'RSA, 2048 bits or more: PEM, or base64url of the DER')
    .requiredOption('--role <role>', 'admin or member')
    .option('--scope <scope...>', 'only these of the role: heartbeats, fleet, keys, admin')
    .option('--expires <duration>', 'for how long it is good; for ever unless given')
    .action(add);
  make('list', 'every credential', 'list').action(list);
  make('enable <name>', 'let a credential in again', 'enable ci').action((name: string, options: Options) => enable(name, true, options));
  make('disable <name>', 'refuse a credential until it is enabled again', 'disable ci').action((name: string, options: Options) =>
    enable(name, false, options),
  );
  make('rename <name> <new-name>', 'call a credential by another name', 'rename ci build').action(rename);
  make('delete <name>', 'end a credential for good', 'delete ci').action(remove);
}

async function add(name: string, options: AddOptions): Promise<void> {
  if (!ROLES.includes(options.role)) throw usage(`--role ${options.role} is none of ${ROLES.join(', ')}`);
  const role = options.role as OrgCredential['role'];
  const scopes = await scopesOf(options.scope, role);
  const lifeMs = options.expires === undefined ? undefined : durationOption('--expires', options.expires);
  if (lifeMs === 0) throw usage('--expires 0 would end it at once');
  const [{ addCredential }, { parsePublicKey }] = await Promise.all([credentials(), import('../../hub/public-key.ts')]);
  const key = parsePublicKey(read(options.publicKey), options.publicKey);
  const given = { name, key, role, ...(scopes && { scopes }), ...(lifeMs !== undefined && { lifeMs }) };
  const added = await work(options, (hub) => addCredential(hub, given));
  if (options.json) return out.json(added);
  out.line(added.credential_id);
  out.note(
    `${name} is let in as ${role} (${added.scopes.join(', ')}); fingerprint ${added.fingerprint}. Above is its id: api.credential_id.`,
  );
}

/** The scopes that `--scope` names, also with commas between them. Throws USAGE. */
async function scopesOf(given: string[] | undefined, role: OrgCredential['role']): Promise<Scope[] | undefined> {
  if (given === undefined) return undefined;
  const { ROLE_SCOPES } = await import('../../hub/scopes.ts');
  const allowed: readonly string[] = ROLE_SCOPES[role];
  const scopes = given.flatMap((text) => text.split(',')).map((text) => text.trim());
  const wrong = scopes.find((scope) => !allowed.includes(scope));
  if (wrong !== undefined) throw usage(`--scope ${wrong} is none of those of the role ${role}: ${allowed.join(', ')}`);
  return scopes as Scope[];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ScoutError('FILE_UNREADABLE', { path, detail: detailOf(error) });
  }
}

async function list(options: Options): Promise<void> {
  const { listCredentials } = await credentials();
  const all = await work(options, listCredentials);
  if (options.json) return out.json(all);
  out.line(table(['NAME', 'KEY', 'ROLE', 'SCOPES', 'STATE', 'EXPIRES', 'LAST USED'], all.map(rowOf)));
}

function rowOf(one: CredentialView): string[] {
  const expired = one.expires !== null && Date.parse(one.expires) <= now();
  const state = one.enabled ? (expired ? 'expired' : 'enabled') : 'disabled';
  return [one.name, one.fingerprint, one.role, one.scopes.join(' '), state, one.expires ?? '-', ago(one.last_used, now())];
}

async function enable(name: string, enabled: boolean, options: Options): Promise<void> {
  const { enableCredential } = await credentials();
  const view = await work(options, (hub) => enableCredential(hub, name, enabled));
  if (options.json) return out.json(view);
  out.line(`${name} is ${enabled ? 'let in again' : 'refused from now on'}.`);
}

async function rename(name: string, to: string, options: Options): Promise<void> {
  const { renameCredential } = await credentials();
  const view = await work(options, (hub) => renameCredential(hub, name, to));
  if (options.json) return out.json(view);
  out.line(`${name} is called ${view.name} now.`);
}

async function remove(name: string, options: Options): Promise<void> {
  const { deleteCredential } = await credentials();
  const view = await work(options, (hub) => deleteCredential(hub, name));
  if (options.json) return out.json(view);
  out.line(`${name} is deleted; it is refused from now on.`);
}
