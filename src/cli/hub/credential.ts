import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { CredentialView, NewCredential } from '../../hub/credentials/credentials.ts';
import type { OrgCredential, Scope } from '../../hub/store/store.ts';
import { detailOf, ScoutError } from '../../support/errors.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { durationOption, usage, type Where, withRegistry, withRegistryOptions } from './common.ts';
import { ago } from './text.ts';

interface Options extends Where {
  json?: boolean;
}

interface AddOptions extends Options {
  publicKey?: string;
  keyPair?: boolean;
  apiKey?: boolean;
  role: string;
  scope?: string[];
  expires?: string;
}

const ROLES: readonly string[] = ['admin', 'member'] satisfies OrgCredential['role'][];
const now = () => Date.now();
const credentials = () => import('../../hub/credentials/credentials.ts');

/** `scout-hub credential add|list|enable|disable|rename|delete`. */
export function verb(program: Command): void {
  const credential = program
    .command('credential')
    .description('credentials of the organisation: key pairs and API keys that any of its hosts may use');
  const make = (usage: string, text: string, shown: string) => {
    const command = withRegistryOptions(credential.command(usage).description(text)).option('--json', 'one JSON document');
    return example(command, `scout-hub credential ${shown}`);
  };
  make(
    'add <name>',
    'let in whoever has a private key, or an API key of the whole organisation',
    'add ci --public-key ci.pub --role member --expires 365d',
  )
    .option('--public-key <file>', 'of a key pair: RSA, 2048 bits or more; PEM, DER, base64url of that, or a JWK')
    .option('--key-pair', 'make the key pair here; its private half is printed once and kept nowhere')
    .option('--api-key', 'make an API key here, printed once and kept nowhere')
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
  const key = await keyOf(options);
  const { addCredential } = await credentials();
  const given = { name, key, role, ...(scopes && { scopes }), ...(lifeMs !== undefined && { lifeMs }) };
  const added = await withRegistry(options, (hub) => addCredential(hub, given), { begin: true });
  if (options.json) return out.json(added);
  const told = `${name} is let in as ${role} (${added.scopes.join(', ')}); fingerprint ${added.fingerprint}.`;
  if (added.key === undefined) {
    out.line(added.credential_id);
    return out.note(`${told} Above is its id: api.credential_id.`);
  }
  out.line(added.key);
  out.note(`${told} Above is its key, shown this once.${added.kid === null ? '' : ` Its id: ${added.credential_id}`}`);
}

/** What the credential is to go by. Throws USAGE, FILE_UNREADABLE, HUB_PUBLIC_KEY. */
async function keyOf({ publicKey, keyPair, apiKey }: AddOptions): Promise<NewCredential['key']> {
  if ([publicKey, keyPair, apiKey].filter(Boolean).length !== 1) throw usage('give one of --public-key FILE, --key-pair and --api-key');
  if (publicKey === undefined) return keyPair ? 'pair' : 'api-key';
  const { parsePublicKey } = await import('../../hub/credentials/public-key.ts');
  return parsePublicKey(read(publicKey), publicKey);
}

/** The scopes that `--scope` names, also with commas between them. Throws USAGE. */
async function scopesOf(given: string[] | undefined, role: OrgCredential['role']): Promise<Scope[] | undefined> {
  if (given === undefined) return undefined;
  const { ROLE_SCOPES } = await import('../../hub/http/scopes.ts');
  const allowed: readonly string[] = ROLE_SCOPES[role];
  const scopes = given.flatMap((text) => text.split(',')).map((text) => text.trim());
  const wrong = scopes.find((scope) => !allowed.includes(scope));
  if (wrong !== undefined) throw usage(`--scope ${wrong} is none of those of the role ${role}: ${allowed.join(', ')}`);
  return scopes as Scope[];
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ScoutError('FILE_UNREADABLE', { path, detail: detailOf(error) });
  }
}

async function list(options: Options): Promise<void> {
  const { listCredentials } = await credentials();
  const all = await withRegistry(options, listCredentials);
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
  const view = await withRegistry(options, (hub) => enableCredential(hub, name, enabled));
  if (options.json) return out.json(view);
  out.line(`${name} is ${enabled ? 'let in again' : 'refused from now on'}.`);
}

async function rename(name: string, to: string, options: Options): Promise<void> {
  const { renameCredential } = await credentials();
  const view = await withRegistry(options, (hub) => renameCredential(hub, name, to));
  if (options.json) return out.json(view);
  out.line(`${name} is called ${view.name} now.`);
}

async function remove(name: string, options: Options): Promise<void> {
  const { deleteCredential } = await credentials();
  const view = await withRegistry(options, (hub) => deleteCredential(hub, name));
  if (options.json) return out.json(view);
  out.line(`${name} is deleted; it is refused from now on.`);
}
