import { existsSync, mkdirSync } from 'node:fs';
import type { CommandOptions } from '../../config/options.ts';
import type { Values } from '../../credentials/values.ts';
import type { Step } from '../../rotation/ports.ts';
import type { Plan, Request, Rotated, Rotation } from '../../rotation/rotation.ts';
import { parseDuration } from '../../support/durations.ts';
import { detailOf, ScoutError } from '../../support/errors.ts';
import { finishRegardless, out, paint } from '../output.ts';
import { example, type Verb } from '../program.ts';
import type { HostWorld } from './rotate-world.ts';
import { folderOptions } from './run-options.ts';

const DAY_MS = 86_400_000;

interface Options extends CommandOptions {
  newKeyStdin?: boolean;
  self?: boolean;
  keypair?: boolean;
  mint?: boolean;
  rollback?: boolean;
  retireNow?: boolean;
  ifOlderThan?: string;
  dryRun?: boolean;
  explain?: boolean;
  acceptGap?: boolean;
  credentialId?: string;
  json?: boolean;
}

/** `rotate`: replaces the credential of this host without a gap; goes on where an earlier one was cut short. */
export const verb: Verb = (program) => {
  const command = folderOptions(
    program
      .command('rotate')
      .description('replace the key of this host while heartbeats flow; goes on where an earlier call was cut short'),
  )
    .option('--self', 'make the key here and have its SHA-256 registered (the default, where the service does that)')
    .option('--keypair', 'make a key pair here and have its public half registered (organisation credentials)')
    .option('--new-key-stdin', 'take a key that was made at the service, from stdin or a prompt')
    .option('--mint', 'have the service make the key')
    .option('--credential-id <id>', 'with --new-key-stdin: the id of the new organisation credential')
    .option('--if-older-than <duration>', 'only when the key in use is older: 90d')
    .option('--retire-now', 'end the old key as soon as the new one is in use; alone: end the one of the last rotation')
    .option('--rollback', 'go back to the previous key')
    .option('--dry-run', 'tell what would be done, and whether anything speaks against it')
    .option('--explain', 'tell from the journal alone where a rotation stands and what is safe to do next')
    .option('--accept-gap', 'go on where a lost answer would leave this host without a key')
    .option('--json', 'print one JSON document');
  example(
    command,
    'scout-agent rotate',
    'scout-agent rotate --new-key-stdin < new-key.txt',
    'scout-agent rotate --if-older-than 90d',
    'scout-agent rotate --explain',
  ).action(rotate);
};

async function rotate(options: Options): Promise<void> {
  checkUsage(options);
  const { createWorld, actorOf } = await import('./rotate-world.ts');
  if (options.explain) return (await import('./rotate-explain.ts')).explainRotation(options);
  const { Rotation } = await import('../../rotation/rotation.ts');
  const world = await createWorld(options, options.json ? () => {} : show);
  finishRegardless();
  prepareState(world, options);
  try {
    const rotation = new Rotation(world, actorOf());
    if (options.dryRun) return await dryRun(rotation, world, options);
    if (options.ifOlderThan !== undefined && !(await isDue(rotation, world, options))) return;
    if (options.retireNow && !sourceOf(options)) return await retireNow(rotation, options);
    report(await replace(rotation, world, options), options);
  } finally {
    world.lock.release();
  }
}

/** Takes the lock. A dry run makes no folder for it: where there is none, nobody else is at work either. */
function prepareState({ state, lock }: HostWorld, { dryRun }: Options): void {
  if (dryRun && !existsSync(state)) return;
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ScoutError('FILE_UNWRITABLE', { path: state, detail: detailOf(error) }, {}, { cause: error });
  }
  lock.acquire();
}

/** What the agent has from its own environment stays there whatever the files say; the old key may be dead by then. */
async function checkAgent({ agent }: HostWorld): Promise<void> {
  const status = await agent.status();
  const variable = status?.key.variable;
  if (!status || !variable) return;
  const path = status.config.file ?? 'its configuration';
  throw new ScoutError('ROTATE_AGENT_ENVIRONMENT', { variable, pid: status.pid, path });
}

function checkUsage(options: Options): void {
  const usage = (detail: string) => new ScoutError('USAGE', { detail, program: 'scout-agent rotate' });
  const sources = ['--self', '--keypair', '--new-key-stdin', '--mint', '--rollback'].filter(
    (name) => options[camel(name) as keyof Options] === true,
  );
  if (sources.length > 1) throw usage(`${sources[0]} and ${sources[1]} exclude each other`);
  if (options.ifOlderThan !== undefined && parseDuration(options.ifOlderThan) === undefined)
    throw usage(`--if-older-than ${options.ifOlderThan} is not a duration such as 90d, 12h or 30m`);
  const asks = options.explain ? '--explain' : options.dryRun ? '--dry-run' : undefined;
  const without = [...(options.explain ? [...sources, '--dry-run'] : []), '--retire-now', '--if-older-than'];
  const beside = asks && without.find((name) => options[camel(name) as keyof Options]);
  if (beside) throw usage(`${asks} and ${beside} exclude each other`);
  if (options.rollback && options.ifOlderThan !== undefined) throw usage('--rollback and --if-older-than exclude each other');
  if (options.credentialId !== undefined && !options.newKeyStdin) throw usage('--credential-id belongs to --new-key-stdin');
}

const camel = (name: string): string => name.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

function sourceOf(options: Options): Request['source'] {
  if (options.self) return 'made';
  if (options.keypair) return 'keypair';
  if (options.mint) return 'minted';
  if (options.rollback) return 'rollback';
  return options.newKeyStdin ? 'pasted' : undefined;
}

/** Replaces it; where the service makes no keys for agents and a person sits here, asks for one. */
async function replace(rotation: Rotation, world: HostWorld, options: Options): Promise<Rotated> {
  await checkAgent(world);
  const source = sourceOf(options);
  const request: Request = { acceptGap: options.acceptGap === true, ...(source && { source }) };
  const more = { retireNow: options.retireNow === true };
  if (source === 'pasted') return rotation.rotate({ ...request, pasted: await given(world, options) }, more);
  try {
    return await rotation.rotate(request, more);
  } catch (error) {
    const asks = error instanceof ScoutError && error.code === 'ROTATE_NO_SOURCE' && source === undefined && process.stdin.isTTY;
    if (!asks || options.json) throw error;
    out.note(`${world.endpoint} makes no keys for agents: make one there, and give it here.`);
    return rotation.rotate({ ...request, source: 'pasted', pasted: await given(world, options) }, more);
  }
}

/** The new credential, from the prompt or from stdin. Throws ROTATE_KEY_MISSING, and what is wrong with its form. */
async function given(world: HostWorld, options: Options): Promise<Values> {
  const [{ readSecret }, { givenValues }] = await Promise.all([import('../prompt.ts'), import('../../rotation/given.ts')]);
  const text = await readSecret('The new key', 'scout-agent');
  if (text === '') throw new ScoutError('ROTATE_KEY_MISSING');
  return givenValues(world.config.api, world.configured.read(), text, options.credentialId);
}

async function isDue(rotation: Rotation, world: HostWorld, options: Options): Promise<boolean> {
  if (rotation.open) return true;
  const limit = parseDuration(options.ifOlderThan as string) as number;
  const { fingerprint, since } = await rotation.age();
  const age = world.now() - Date.parse(since);
  // A key from the future came under a clock that was ahead: until then it would never be old.
  if (age >= limit || age < -DAY_MS) return true;
  const retired = await rotation.retireDue();
  const days = Math.max(0, Math.floor(age / DAY_MS));
  if (options.json) out.json({ rotated: false, fingerprint, since, age_days: days, retired });
  else
    out.line(`The key ${fingerprint} is ${days} ${days === 1 ? 'day' : 'days'} old: not older than ${options.ifOlderThan}, nothing to do.`);
  return false;
}

async function retireNow(rotation: Rotation, options: Options): Promise<void> {
  const { fingerprint } = await rotation.retireNow();
  if (options.json) return out.json({ rotated: false, retired: true, fingerprint });
  out.line(`The old key ${fingerprint} has ended: the service refuses it.`);
}

async function dryRun(rotation: Rotation, world: HostWorld, options: Options): Promise<void> {
  const { open } = rotation;
  await checkAgent(world);
  const source = sourceOf(options);
  const pasted = source === 'pasted' ? await given(world, options) : undefined;
  const plan = await rotation.plan({ acceptGap: options.acceptGap === true, ...(source && { source }), ...(pasted && { pasted }) });
  if (options.json) return out.json({ dry_run: true, ...plan, open });
  if (open) out.line(`A rotation stands at ${open.state} (${open.from} to ${open.to ?? 'a new key'}); it would be finished first.`);
  for (const line of planText(plan, world.endpoint)) out.line(line);
  out.line('Nothing was changed.');
}

function planText({ source, policy, from, name, abilities }: Plan, endpoint: string): string[] {
  const how = {
    made: 'a key is made here, and the service learns its SHA-256',
    keypair: 'a key pair is made here, and the service learns its public half',
    minted: 'the service makes the key',
    pasted: 'the key that was given is used',
    rollback: 'the previous key comes back',
  };
  const then = {
    immediate: 'The service ends the old key at once: the agent holds its heartbeats back meanwhile, and sends them with the new one.',
    grace: 'The old key stays good for the window that the service gives.',
    multi: 'The old key goes on working until it is retired.',
  };
  return [
    `The key ${from}${name ? ` of ${name}` : ''} at ${endpoint} would be replaced: ${how[source]}.`,
    then[policy],
    `The service offers: ${abilities.join(', ') || 'nothing, keys are made there by hand'}.`,
  ];
}

function report(done: Rotated, options: Options): void {
  if (options.json) {
    out.json({ rotated: true, ...done });
    return;
  }
  const { from, to, previous, policy, valid_until: until } = done;
  out.line(`The key ${to} has taken the place of ${from}.`);
  if (!previous) out.line('The old key is dead.');
  else out.line(oldKeyText(previous, policy));
  if (until !== null)
    out.line(`The service ends ${to} itself at ${until}, unless ${from} is ended before: scout-agent rotate --retire-now`);
}

function oldKeyText({ fingerprint, valid_until: until }: NonNullable<Rotated['previous']>, policy: Rotated['policy']): string {
  if (until === null)
    return `The old key ${fingerprint} still works at the service; once no other host uses it, end it with: scout-agent rotate --retire-now`;
  if (policy === 'multi')
    return `The old key ${fingerprint} still works; the timer ends it after ${until}, or now: scout-agent rotate --retire-now`;
  return `The old key ${fingerprint} stays good until ${until}, or until: scout-agent rotate --retire-now`;
}

function show({ state, text, level }: Step): void {
  const mark = level === 'warning' ? paint('yellow', '!') : paint('green', '✓');
  out.line(`${mark} ${state.padEnd(9)} ${text}`);
}
