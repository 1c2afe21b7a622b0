import type { Command } from 'commander';
import type { TokenView } from '../../hub/enrol/tokens.ts';
import type { Policy } from '../../hub/store/store.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { durationOption, usage, type Where, withRegistry, withRegistryOptions } from './common.ts';

interface Options extends Where {
  json?: boolean;
}

interface CreateOptions extends Options {
  server: string;
  expires: string;
  policy: string;
  grace: string;
  ca: boolean;
}

const POLICIES: readonly string[] = ['immediate', 'grace', 'multi'] satisfies Policy[];
const tokens = () => import('../../hub/enrol/tokens.ts');

/** `scout-hub token create|list|revoke`. */
export function verb(program: Command): void {
  const token = program.command('token').description('tokens by which a new host enrols: scout-agent enroll');
  const make = (usage: string, text: string, shown: string) => {
    const command = withRegistryOptions(token.command(usage).description(text)).option('--json', 'one JSON document');
    return example(command, `scout-hub token ${shown}`);
  };
  make('create', 'let one host enrol, once; the token is printed once and kept nowhere', 'create --server web-1 --expires 1h')
    .requiredOption('--server <name>', 'the server that it is for; it is registered by the enrolment where there is none')
    .option('--expires <duration>', 'how long the token is good', '1h')
    .option('--policy <policy>', 'of a server that is registered: immediate, grace, multi', 'grace')
    .option('--grace <duration>', 'of a server that is registered: how long the old key stays good under `grace`', '24h')
    .option('--no-ca', 'leave out by what the hub\u2019s own authority is told; for a hub behind another certificate')
    .action(create);
  make('list', 'every token, by fingerprint', 'list').action(list);
  make('revoke <fingerprint>', 'end a token that was not used', 'revoke 2e1a68333e0a').action(revoke);
}

async function create(options: CreateOptions): Promise<void> {
  if (!POLICIES.includes(options.policy)) throw usage(`--policy ${options.policy} is none of ${POLICIES.join(', ')}`);
  const [lifeMs, graceMs] = [durationOption('--expires', options.expires), durationOption('--grace', options.grace)];
  if (lifeMs === 0) throw usage('--expires 0 would end it at once');
  const [{ createToken }, { authorityPrint }] = await Promise.all([tokens(), import('../../hub/tls/own.ts')]);
  const authority = options.ca ? authorityPrint(options.data) : null;
  const wanted = { server: options.server, policy: options.policy as Policy, graceMs, lifeMs, authority };
  const { known, ...made } = await withRegistry(options, (hub) => createToken(hub, wanted), { begin: true });
  if (options.json) return out.json(made);
  out.line(made.token);
  out.note(`Above is the token, shown this once (fingerprint ${made.fingerprint}); it works once, until ${made.expires}. On the host:`);
  out.note('  scout-agent enroll https://ADDRESS-OF-THIS-HUB');
  if (options.ca && authority === null)
    out.note(
      'It tells of no certificate authority: the hub has made none of its own. Where it is to (--tls-self-signed), start it first, and make another token.',
    );
  if (known) out.note(`${made.server} is registered already: its own policy says what becomes of the keys that it has.`);
}

async function list(options: Options): Promise<void> {
  const { listTokens } = await tokens();
  const all = await withRegistry(options, listTokens);
  if (options.json) return out.json(all);
  out.line(table(['TOKEN', 'SERVER', 'STATE', 'CREATED', 'EXPIRES', 'USED', 'FOR KEY'], all.map(rowOf)));
}

const rowOf = (one: TokenView): string[] => [
  one.fingerprint,
  one.server,
  one.state,
  one.created,
  one.expires,
  one.used ?? '-',
  one.used_for ?? '-',
];

async function revoke(fingerprint: string, options: Options): Promise<void> {
  const { revokeToken } = await tokens();
  const view = await withRegistry(options, (hub) => revokeToken(hub, fingerprint));
  if (options.json) return out.json(view);
  out.line(
    `${view.fingerprint} is refused from now on.${view.state === 'used' ? ' It had been used: the key that came with it stays.' : ''}`,
  );
}
