import { existsSync } from 'node:fs';
import path from 'node:path';
import { isReference, type Opening } from '../secrets/open.ts';
import { ERRORS, EXIT, type Problem, problem } from '../support/errors.ts';
import { ownerOf } from '../support/owner.ts';
import { checkDestinations } from './destinations.ts';
import { discover, places } from './discover.ts';
import { checkEndpoint, checkProxy } from './endpoint.ts';
import { defaultFolders } from './folders.ts';
import { addSetting } from './formats/env.ts';
import { type Context, entryOf, open, placeOfMissing, placeOfSetting, resolveApi } from './keys.ts';
import { type Loaded, loadFiles } from './load.ts';
import { nearestName, variables } from './names.ts';
import { normalise } from './normalise.ts';
import { checkPermissions } from './permissions.ts';
import type { Resolution } from './resolved.ts';
import type { Config } from './schema.ts';
import { type Setting, type Shape, settingsOf, shapeOf } from './shape.ts';
import { checkTls } from './tls.ts';
import { type Entry, emptyMap, findEntry, type MapNode, mergeMaps, placeOf, setEntry, toPlain } from './tree.ts';
import { type Parsed, validate } from './validate.ts';
import { listValues } from './values.ts';

export interface ResolveOptions {
  /** `--config PATH`; discovered when absent. */
  file?: string;
  env: NodeJS.ProcessEnv;
  /** Whose folders are the default. */
  uid: number;
  /** Put before the places where a configuration is looked for; tests only. */
  root?: string;
  /** Settings of the command line, by canonical name; they win over everything. */
  overrides?: Record<string, unknown>;
}

/**
 * Finds the configuration, reads it, lays the environment and the command line over it, opens its secrets and checks
 * all of it. Never throws for what a user wrote: every fault is in `problems`, and `config` is there when none is an error.
 */
export function resolveConfig(options: ResolveOptions): Resolution {
  const shape = shapeOf();
  const known = variables(shape);
  const found = discover(options.file, options.env, options.uid, options.root);
  const context: Context = {
    file: found.file,
    env: options.env,
    opening: openingOf(options),
    root: emptyMap({ option: 'none' }),
    empty: new Map(),
    unfit: new Set(),
    problems: found.problem ? [found.problem] : [],
    watch: new Set(),
    fingerprints: new Map(),
    sources: new Map(),
  };
  if (found.file !== null) context.watch.add(found.file);
  const damaged = found.file !== null && !found.problem && readFiles(context, shape, known, found.file);
  const unread = damaged || context.problems.some((one) => one.severity === 'error' && UNREAD.has(one.code));
  readEnvironment(context, shape, known);
  for (const [name, value] of Object.entries(options.overrides ?? {})) override(context.root, name, value);

  if (found.file === null && !KEYS.some((name) => entryOf(context, name))) {
    context.problems.push(problem('CONFIG_NOT_FOUND', { places: ['$SCOUT_CONFIG', ...places(options.env, options.uid)].join(', ') }));
    return finish(context, shape, null, undefined);
  }
  // Of a file that cannot be read nothing more can be said; "no key" would be misleading.
  if (unread) return finish(context, shape, found.file, undefined);

  const { parsed, problems } = validate(context.root, shape, context.unfit);
  context.problems.push(...problems);
  return finish(context, shape, found.file, complete(context, parsed, options));
}

/** Where the secrets of a configuration are opened. */
export const openingOf = ({ env, uid, root, file }: ResolveOptions): Opening => ({
  env,
  uid,
  ...(root !== undefined && { root }),
  ...(file !== undefined && { config: file }),
});

/** Exit status for what was found: 0, else that of the first error, where faults of the configuration go before refused permissions. */
export function exitOf(problems: Problem[]): number {
  const exits = problems.filter((one) => one.severity === 'error').map((one) => ERRORS[one.code].exit);
  return exits.includes(EXIT.config) ? EXIT.config : (exits[0] ?? EXIT.done);
}

const KEYS = ['api.key', 'api.key_file', 'api.private_key', 'api.private_key_file'];
const UNREAD = new Set(['CONFIG_MISSING_FILE', 'CONFIG_FORMAT_UNKNOWN', 'CONFIG_SYNTAX', 'FILE_UNREADABLE', 'CONFIG_TOO_LARGE']);
const FILES = ['api.key_file', 'api.private_key_file', 'tls.ca_file', 'tls.cert_file', 'tls.key_file'];
/** Settings that are paths; in a file they are relative to its folder. */
export const PATHS = [...FILES, 'log.file', 'state_dir', 'runtime_dir', 'host.proc', 'host.sys', 'host.root'];

/** Reads and merges all files; whether one of them could not be read at all. */
function readFiles(context: Context, shape: Shape, known: Map<string, string[]>, file: string): boolean {
  const { documents, folder } = loadFiles(file, known);
  let unread = false;
  if (folder) context.watch.add(folder);
  for (const document of documents) {
    context.watch.add(document.file);
    const problems = [...document.problems];
    normalise(document.root, shape, problems, context.empty);
    anchorPaths(document.root, path.dirname(document.file));
    if (holdsSecret(document, shape)) problems.push(...checkPermissions(document.file));
    context.problems.push(...problems);
    mergeMaps(context.root, document.root);
    if (document.unreadable) unread = true;
  }
  return unread;
}

function readEnvironment(context: Context, shape: Shape, known: Map<string, string[]>): void {
  const root = emptyMap({ option: 'none' });
  const secrets = new Set(settingsOf(shape).flatMap((setting) => (setting.secret ? [setting.name] : [])));
  for (const [variable, value] of Object.entries(context.env)) {
    const target = known.get(variable);
    if (!target) {
      const nearest = variable.startsWith('SCOUT_') ? nearestName(variable, known.keys(), 2) : undefined;
      if (nearest) context.problems.push(problem('CONFIG_UNKNOWN_KEY', { name: variable, nearest: `\`${nearest}\`` }, {}, 'warning'));
      continue;
    }
    if (!value) continue;
    const at = { variable };
    addSetting(root, target, { written: variable, at, value: { kind: 'scalar', value, at } }, context.problems);
    if (secrets.has(target.join('.')) && target[0] === 'api' && !isReference(value))
      context.problems.push(problem('CONFIG_KEY_IN_ENVIRONMENT', { name: variable }, {}, 'warning'));
  }
  normalise(root, shape, context.problems, context.empty);
  mergeMaps(context.root, root, (names, old, now) => {
    if (!('file' in old.at) || JSON.stringify(toPlain(old.value)) === JSON.stringify(toPlain(now.value))) return;
    const params = { name: names.join('.'), path: old.at.file, variable: now.written };
    context.problems.push(problem('CONFIG_OVERRIDDEN', params, placeOf(old.at), 'warning'));
  });
}

function override(root: MapNode, name: string, value: unknown): void {
  const at = { option: `--${name.replaceAll(/[._]/g, '-')}` };
  setEntry(root, name.split('.'), { written: at.option, at, value: { kind: 'scalar', value, at } });
}

/** Paths in a file are relative to its folder. */
function anchorPaths(root: MapNode, folder: string): void {
  for (const name of PATHS) {
    const node = findEntry(root, name.split('.'))?.value;
    if (node?.kind === 'scalar' && typeof node.value === 'string') node.value = path.resolve(folder, node.value);
  }
}

/** Whether a file holds the text of a secret, not only a pointer to one. */
function holdsSecret(document: Loaded, shape: Shape): boolean {
  const open = (setting: Setting, entry: Entry | undefined): boolean => {
    const value = entry?.value.kind === 'scalar' ? entry.value.value : undefined;
    if (!setting.secret || value === undefined || value === null) return false;
    return setting.name === 'proxy' ? String(value).includes('@') : !isReference(String(value));
  };
  if (settingsOf(shape).some((setting) => open(setting, findEntry(document.root, setting.path)))) return true;
  const list = findEntry(document.root, ['destinations'])?.value;
  const count = list?.kind === 'list' ? list.items.length : 0;
  return Array.from({ length: count }, (_, index) => findEntry(document.root, ['destinations', index, 'key'])).some(
    (entry) => entry && !isReference(String(toPlain(entry.value))),
  );
}

/** Everything that the schema alone cannot tell: keys, addresses, files and folders. */
function complete(context: Context, parsed: Parsed, options: ResolveOptions): Config {
  const place = (name: string) => placeOfSetting(context, name);
  for (const name of PATHS) {
    const [section, field] = name.split('.') as [keyof Parsed, string | undefined];
    const holder = (field === undefined ? parsed : parsed[section]) as unknown as Record<string, unknown>;
    const key = field ?? section;
    if (typeof holder[key] === 'string') holder[key] = path.resolve(holder[key]);
  }
  for (const name of FILES) {
    const value = toPlain(findEntry(context.root, name.split('.'))?.value ?? emptyMap({ option: 'none' }));
    if (typeof value === 'string') context.watch.add(path.resolve(value));
  }
  const api = resolveApi(context, parsed.api);
  if (entryOf(context, 'api.endpoint')) {
    const label = entryOf(context, 'api.endpoint')?.written ?? 'api.endpoint';
    const endpoint = checkEndpoint(label, api.endpoint, place('api.endpoint'));
    context.problems.push(...endpoint.problems);
    if (endpoint.value !== undefined) api.endpoint = endpoint.value;
  } else if (!context.unfit.has('api.endpoint') && !context.unfit.has('api')) {
    const params = { endpoint: api.endpoint };
    context.problems.push(problem('CONFIG_ENDPOINT_DEFAULT', params, placeOfMissing(context, 'api.endpoint'), 'warning'));
  }

  const tls = { ...parsed.tls };
  // What did not open is left out: its sealed form is no passphrase and no address.
  const opened = (name: string, text: string | undefined) => text && open(context, name, text, name, place(name));
  const passphrase = opened('tls.key_passphrase', tls.key_passphrase);
  if (passphrase !== undefined) tls.key_passphrase = passphrase;
  if (passphrase === tls.key_passphrase) context.problems.push(...checkTls(tls, place));
  const proxy = opened('proxy', parsed.proxy);
  if (proxy !== undefined) context.problems.push(...checkProxy('proxy', proxy, place('proxy')));

  const folders = defaultFolders(options.env, options.uid);
  const state = parsed.state_dir ?? folders.state;
  if (options.uid === 0) admitAgent(context, state);
  return {
    ...parsed,
    api,
    tls,
    ...(proxy !== undefined && { proxy }),
    destinations: checkDestinations(context, parsed.destinations),
    state_dir: state,
    runtime_dir: parsed.runtime_dir ?? folders.runtime,
  };
}

/** Root looks at the files on behalf of the agent's user, to whom the state folder belongs: that one's group may read them. */
function admitAgent(context: Context, state: string): void {
  // Without need that folder is not looked at: it may lie on a mount that hangs.
  if (!context.problems.some(({ code }) => code === 'CONFIG_PERMISSIONS')) return;
  const agent = existsSync(state) ? ownerOf(state) : undefined;
  if (!agent) return;
  context.problems = context.problems.flatMap((one) =>
    one.code === 'CONFIG_PERMISSIONS' && one.file !== undefined ? checkPermissions(one.file, [agent.gid]) : [one],
  );
}

function finish(context: Context, shape: Shape, file: string | null, config: Config | undefined): Resolution {
  const ok = config !== undefined && !context.problems.some((one) => one.severity === 'error');
  return {
    ok,
    file,
    values: listValues(context, shape, config),
    // A fault of a whole file has a place as well: its beginning.
    problems: context.problems.map((one) => (one.file !== undefined && one.line === undefined ? { ...one, line: 1, column: 1 } : one)),
    ...(ok && { config }),
    watch: [...context.watch],
  };
}
