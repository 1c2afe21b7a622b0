import type { ResolveOptions } from '../../config/resolve.ts';
import type { Opening } from '../../secrets/open.ts';
import { formatProblem, ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';

interface Options {
  field: string;
  inPlace?: boolean;
  config?: string;
}

/** `scout-agent encrypt-value`: seals one secret to this host. The value is never taken from the arguments. */
export const verb: Verb = (program) => {
  const command = program
    .command('encrypt-value')
    .description('seal a secret so that it opens on this host only; the value comes from a prompt or from stdin')
    .option('--field <name>', 'the setting that it is for', 'api.key')
    .option('--in-place', 'put it into the configuration; without a value on stdin, seal the one that stands there')
    .option('--config <path>', 'read this configuration')
    .action(async (options: Options) => {
      const [{ resolveOptions }, { openingOf }] = await Promise.all([import('../../config/options.ts'), import('../../config/resolve.ts')]);
      await checkField(options);
      const resolve = resolveOptions(options);
      if (options.inPlace) await inPlace(options.field, resolve, openingOf(resolve));
      else out.line(await sealed(options.field, await value(options.field), openingOf(resolve)));
    });
  example(command, 'scout-agent encrypt-value --in-place', 'scout-agent encrypt-value --field proxy < proxy.txt');
};

async function inPlace(field: string, resolve: ResolveOptions, where: Opening): Promise<void> {
  const [{ applyEdits, planEdits }, { openSecret, isReference }, { isSealed }, { findHostKey }] = await Promise.all([
    import('../../config/edit/target.ts'),
    import('../../secrets/open.ts'),
    import('../../secrets/envelope.ts'),
    import('../../secrets/host-key.ts'),
  ]);
  const given = process.stdin.isTTY ? '' : await piped();
  const [plan] = planEdits(resolve, field);
  const target = plan?.targets[0];
  if (!plan || !target) throw new Error(`${field} is nowhere`);
  const { value: current, file } = target;
  const place = target.format === 'text' ? file : `${file}:${target.line}:${target.column}`;

  if (given) await checkForm(field, given, resolve);
  let text = given || current;
  const opened = openSecret({ label: field, field, text: current }, where, { file, line: target.line, column: target.column });
  if (isSealed(current)) {
    if (opened.ok && (given === '' || given === opened.value)) return out.line(`${field} in ${place} is sealed already, and opens here.`);
    // What does not open can only be replaced.
    if (!opened.ok && given === '') text = process.stdin.isTTY ? await typed(field) : fail(opened.problem);
  } else if (isReference(current) && given === '') {
    const detail = 'it only points at the secret';
    throw new ScoutError('EDIT_REFUSED', { name: field, path: file, detail, field });
  }
  applyEdits(plan, [{ ...target, to: await sealed(field, text, where) }]);
  out.line(`${field} in ${place} is sealed now; a running agent that has the host key takes it up by itself.`);
  // The unit's user cannot read root's: without this the agent would not start again.
  if (where.uid === 0)
    out.note(`An agent that does not run as root needs the host key from systemd. If its unit has no such line yet (systemctl edit
scout-agent, then restart it once):
  [Service]
  LoadCredential=host.key:${findHostKey(where)}`);
}

/**
 * Refuses what can be no such secret, before it takes the place of one that works: the rest of a script, for one, where
 * a shell reads its commands from the same stdin.
 */
async function checkForm(field: string, text: string, resolve: ResolveOptions): Promise<void> {
  const [{ resolveConfig }, { checkKey }, { parsePrivateKey }, { isSealed }] = await Promise.all([
    import('../../config/resolve.ts'),
    import('../../credentials/key.ts'),
    import('../../credentials/private-key.ts'),
    import('../../secrets/envelope.ts'),
  ]);
  if (isSealed(text)) return;
  if (field === 'api.private_key') parsePrivateKey(text, field);
  if (field !== 'api.key') return;
  const format = resolveConfig(resolve).config?.api.key_format;
  const [fault] = checkKey(field, text, format === 'hex64' ? 'hex64' : 'opaque');
  if (fault) fail(fault);
}

/** The token for a value; what came of making it is told on stderr. */
async function sealed(field: string, text: string, where: Opening): Promise<string> {
  const { sealHere } = await import('../../secrets/seal.ts');
  const made = sealHere(field, text, where);
  if ('fault' in made) throw ScoutError.of(made.fault);
  if (made.warning) out.note(formatProblem(made.warning));
  if (made.made) out.note(`made the host key ${made.made}: keep it where backups of the configuration are not kept`);
  return made.token;
}

/** The value from the prompt or from stdin. Throws SEAL_VALUE_MISSING. */
const value = async (field: string): Promise<string> =>
  process.stdin.isTTY ? typed(field) : (await piped()) || missing(field, 'stdin was empty');

async function typed(field: string): Promise<string> {
  const { typeHidden, withoutEcho } = await import('../prompt.ts');
  return (await withoutEcho(() => typeHidden(`Value of ${field} (not shown): `, 'scout-agent'))) || missing(field, 'nothing was typed');
}

async function piped(): Promise<string> {
  const [{ readStdin }, { withoutNewline }] = await Promise.all([import('../prompt.ts'), import('../../secrets/open.ts')]);
  return withoutNewline(await readStdin());
}

async function checkField({ field, inPlace }: Options): Promise<void> {
  const [{ SEALED_FIELDS }, { sealedField }] = await Promise.all([import('../../secrets/envelope.ts'), import('../../secrets/open.ts')]);
  const known: readonly string[] = SEALED_FIELDS;
  if (known.includes(sealedField(field)) && !(inPlace && field.includes('[]'))) return;
  const names = inPlace ? SEALED_FIELDS.map((name) => name.replace('[]', '[0]')) : SEALED_FIELDS;
  throw new ScoutError('USAGE', { detail: `no setting of that name is sealed; known are ${names.join(', ')}`, program: 'scout-agent' });
}

function missing(field: string, detail: string): never {
  throw new ScoutError('SEAL_VALUE_MISSING', { field, detail });
}

function fail(found: Parameters<typeof ScoutError.of>[0]): never {
  throw ScoutError.of(found);
}
