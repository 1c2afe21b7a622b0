import type { Command } from 'commander';
import type { Fate, OneKey } from '../../hub/keys/changes.ts';
import { out } from '../output.ts';
import { example } from '../program.ts';
import { durationOption, type Where, withRegistry, withRegistryOptions } from './common.ts';
import { keyTable } from './text.ts';

interface Options extends Where {
  json?: boolean;
}

const now = () => Date.now();
const changes = () => import('../../hub/keys/changes.ts');

/** `scout-hub key rotate|retire|list|add|enable|disable|rename|delete`. */
export function verb(program: Command): void {
  const key = program.command('key').description('keys of servers');
  const add = (usage: string, text: string, shown: string) => {
    const command = withRegistryOptions(key.command(usage).description(text)).option('--json', 'one JSON document');
    return example(command, `scout-hub key ${shown}`);
  };
  const force = 'also the last key that works';
  add('rotate <server>', 'make a new key, printed once; the server\u2019s policy says what becomes of the old one', 'rotate web-1')
    .option('--grace <duration>', 'how long the old key stays good this once, under `grace`; 0s retires it at once')
    .action(rotate);
  add('retire <server>', 'end the previous keys at once', 'retire web-1').action(retire);
  add('list <server>', 'the keys of one server, by fingerprint', 'list web-1').action(list);
  add('add <server>', 'make a key beside the others (policy multi), printed once', 'add web-1 --name spare')
    .option('--name <name>', 'what to call it')
    .action(addOne);
  add('enable <server> <key>', 'let a key in again, by its name or fingerprint (policy multi)', 'enable web-1 spare').action(one('enable'));
  add('disable <server> <key>', 'refuse a key until it is enabled again (policy multi)', 'disable web-1 spare')
    .option('--force', force)
    .action(one('disable'));
  add('rename <server> <key> <name>', 'call a key by another name (policy multi)', 'rename web-1 spare web-1-b').action(rename);
  add('delete <server> <key>', 'end a key for good (policy multi)', 'delete web-1 spare').option('--force', force).action(one('delete'));
}

async function list(name: string, options: Options): Promise<void> {
  const { listKeys } = await import('../../hub/servers.ts');
  const keys = await withRegistry(options, (hub) => listKeys(hub, name));
  if (options.json) return out.json(keys);
  out.line(keyTable(keys, now()));
}

async function rotate(name: string, { grace, ...options }: Options & { grace?: string }): Promise<void> {
  const graceMs = grace === undefined ? undefined : durationOption('--grace', grace);
  const { rotateKey } = await changes();
  const { others, ...made } = await withRegistry(options, (hub) => rotateKey(hub, name, { graceMs }));
  if (options.json) return out.json(made);
  out.line(made.key);
  out.note(`Above is the new key of ${name}, shown this once (fingerprint ${made.fingerprint}).`);
  for (const { fingerprint, fate, until } of others) out.note(`${fingerprint} ${FATES[fate]}${until ? ` until ${until}` : ''}.`);
}

const FATES: Record<Fate['fate'], string> = {
  deleted: 'is refused from now on',
  previous: 'goes on working as the previous key',
  unchanged: 'is left as it was',
};

async function retire(name: string, options: Options): Promise<void> {
  const { retireKeys } = await changes();
  const retired = await withRegistry(options, (hub) => retireKeys(hub, name));
  if (options.json) return out.json({ retired });
  for (const fingerprint of retired) out.line(`${fingerprint} is refused from now on.`);
  if (retired.length === 0) out.line(`${name} has no previous key.`);
}

async function addOne(name: string, options: Options & { name?: string }): Promise<void> {
  const { addKey } = await changes();
  const made = await withRegistry(options, (hub) => addKey(hub, name, options.name ?? null));
  if (options.json) return out.json(made);
  out.line(made.key);
  out.note(`Above is a further key of ${name}, shown this once (fingerprint ${made.fingerprint}). The others go on working.`);
}

async function change(name: string, which: string, what: OneKey, options: Options, said: string): Promise<void> {
  const { changeKey } = await changes();
  const key = await withRegistry(options, (hub) => changeKey(hub, name, which, what));
  if (options.json) return out.json(what.action === 'delete' ? { fingerprint: key.fingerprint, deleted: true } : key);
  out.line(`${key.fingerprint} ${said}.`);
}

const SAID = {
  enable: 'is let in again',
  disable: 'is refused until it is enabled',
  delete: 'is deleted, and refused from now on',
};

function one(action: keyof typeof SAID) {
  return (name: string, key: string, options: Options & { force?: boolean }): Promise<void> =>
    change(name, key, { action, force: options.force === true }, options, SAID[action]);
}

function rename(name: string, key: string, to: string, options: Options): Promise<void> {
  return change(name, key, { action: 'rename', to }, options, `is called ${to} now`);
}
