import { authOf } from '../credentials/create.ts';
import { checkKey, isPlaceholder, type KeyFormat } from '../credentials/key.ts';
import { parsePrivateKey, thumbprint } from '../credentials/private-key.ts';
import { isReference, type Opening, openSecret, withoutNewline } from '../secrets/open.ts';
import { type Place, type Problem, problem, ScoutError } from '../support/errors.ts';
import { fingerprint } from '../support/fingerprint.ts';
import { hideKeys } from '../support/hide.ts';
import { readRegular } from '../support/regular-file.ts';
import { OPAQUE_NAMES } from './names.ts';
import { checkPermissions } from './permissions.ts';
import type { Source } from './resolved.ts';
import { type Entry, findEntry, type MapNode, nearestEntry, placeOf } from './tree.ts';
import type { Parsed } from './validate.ts';

/** What the checks of a configuration share. */
export interface Context {
  /** The configuration file, null when there is none. */
  file: string | null;
  env: NodeJS.ProcessEnv;
  /** Where secrets are opened. */
  opening: Opening;
  /** All settings as merged, with their origins. */
  root: MapNode;
  /** Settings that stand in a file with nothing after them. */
  empty: Map<string, Entry>;
  /** Settings whose value did not fit and was left out, by canonical name; they are not missing. */
  unfit: Set<string>;
  problems: Problem[];
  watch: Set<string>;
  /** Fingerprints of secrets, by canonical name. */
  fingerprints: Map<string, string>;
  /** Origins of values that the configuration does not hold itself (a key in api.key_file). */
  sources: Map<string, Source>;
}

/** The entry of a setting, by canonical name. */
export const entryOf = (context: Context, name: string): Entry | undefined => findEntry(context.root, name.split('.'));
/** Where the value of a setting was written; for one left empty, where its name stands. */
export const placeOfSetting = (context: Context, name: string): Place => {
  const entry = entryOf(context, name);
  return placeOf(entry ? entry.value.at : context.empty.get(name)?.at);
};

/** Where a setting that is missing would stand: its name left empty, else the section it belongs to, else the file. */
export function placeOfMissing(context: Context, name: string): Place {
  const empty = placeOf(context.empty.get(name)?.at);
  if (empty.file !== undefined) return empty;
  const section = context.file?.endsWith('.env') ? {} : placeOf(nearestEntry(context.root, name.split('.'))?.at);
  return section.file === undefined && context.file !== null ? { file: context.file, line: 1, column: 1 } : section;
}

/** Opens a secret setting; undefined when it cannot be (the problem is noted). */
export function open(context: Context, name: string, text: string, label: string, place: Place): string | undefined {
  const opened = openSecret({ label, field: name, text }, context.opening, place);
  for (const file of opened.files) context.watch.add(file);
  if (!opened.ok) {
    context.problems.push(opened.problem);
    return undefined;
  }
  context.fingerprints.set(name, fingerprint(opened.value));
  return opened.value;
}

/** Decides how the key is sent, opens it, and checks its form. What comes back holds the key itself and no `*_file`. */
export function resolveApi(context: Context, api: Parsed['api']): Parsed['api'] {
  const key = secretText(context, 'api.key', api.key, api.key_file);
  const privateKey = secretText(context, 'api.private_key', api.private_key, api.private_key_file);
  const { key: _, private_key: __, ...rest } = api;
  const resolved: Parsed['api'] = {
    ...rest,
    ...(key.text !== undefined && { key: key.text }),
    ...(privateKey.text !== undefined && { private_key: privateKey.text }),
  };
  const auth = api.auth ?? (privateKey.set ? 'jwt' : authOf(resolved));
  resolved.auth = auth;

  const format: Exclude<KeyFormat, 'token'> =
    api.key_format !== 'auto'
      ? api.key_format
      : OPAQUE_NAMES.has(entryOf(context, 'api.key')?.written ?? '') || auth === 'bearer'
        ? 'opaque'
        : 'hex64';
  resolved.key_format = format;
  if (key.text !== undefined) context.problems.push(...checkKey(key.label, key.text, format, key.place));
  if (privateKey.text !== undefined) usePrivateKey(context, resolved, privateKey, auth);

  if (api.auth === undefined && key.set && privateKey.set) {
    const names = { key: key.label, privateKey: privateKey.label };
    context.problems.push(problem('CONFIG_TWO_CREDENTIALS', names, key.place, 'warning'));
  }
  // Nothing of a section that is none could be read; what is missing from it cannot be told.
  if (context.unfit.has('api')) return resolved;
  if (auth === 'jwt' ? !privateKey.set : !key.set && !(auth === 'bearer' && privateKey.set)) missing(context, auth);
  if (auth === 'jwt' && api.credential_id === undefined) {
    const params = {
      name: 'api.credential_id',
      because: 'api.auth is jwt',
      how: ' (SCOUT_CREDENTIAL_ID) to the id of the organisation credential',
    };
    context.problems.push(problem('CONFIG_REQUIRED', params, placeOfMissing(context, 'api.credential_id')));
  }
  return resolved;
}

function missing(context: Context, auth: string): void {
  if (auth === 'jwt') {
    const name = 'api.private_key';
    const params = { name, because: 'api.auth is jwt', how: ' (SCOUT_PRIVATE_KEY), or api.private_key_file' };
    context.problems.push(problem('CONFIG_REQUIRED', params, placeOfMissing(context, name)));
    return;
  }
  // Which of the two was left empty tells which was meant.
  const name = ['api.key', 'api.private_key'].find((one) => context.empty.has(one)) ?? 'api.key';
  context.problems.push(problem('KEY_MISSING', { name: context.empty.get(name)?.written ?? name }, placeOfMissing(context, name)));
}

interface SecretText {
  /** Whether the user gave one, good or bad. */
  set: boolean;
  text?: string;
  label: string;
  place: Place;
}

/** A secret given inline or by a file beside it (`NAME_file`), opened. */
function secretText(context: Context, name: string, inline: string | undefined, file: string | undefined): SecretText {
  const own = entryOf(context, name);
  const named = entryOf(context, `${name}_file`);
  let from: 'inline' | 'file' | undefined = inline !== undefined ? 'inline' : file !== undefined ? 'file' : undefined;
  if (inline !== undefined && file !== undefined && own && named) {
    // What the environment says wins over what a file says, also across the two ways to give a key.
    const rank = (entry: Entry) => ('file' in entry.at ? 0 : 1);
    if (rank(own) === rank(named)) {
      context.problems.push(problem('CONFIG_CONFLICT', { name: own.written, other: named.written }, placeOf(own.at)));
      return { set: true, label: own.written, place: placeOf(own.at) };
    }
    from = rank(own) > rank(named) ? 'inline' : 'file';
  }
  if (from === 'inline' && inline !== undefined) {
    const label = own?.written ?? name;
    const place = placeOfSetting(context, name);
    const text = open(context, name, inline, label, place);
    return { set: true, label, place, ...(text !== undefined && { text }) };
  }
  if (from === 'file' && file !== undefined) return fromFile(context, name, file, named?.written ?? `${name}_file`);
  return { set: context.unfit.has(name) || context.unfit.has(`${name}_file`), label: name, place: {} };
}

function fromFile(context: Context, name: string, file: string, label: string): SecretText {
  context.watch.add(file);
  let content: string;
  try {
    content = withoutNewline(readRegular(file).toString('utf8'));
  } catch (error) {
    const shown = hideKeys(file);
    const detail = shown === file ? (error as Error).message : `that looks like the key, which belongs in ${name}`;
    const place = placeOfSetting(context, `${name}_file`);
    context.problems.push(problem('KEY_FILE', { name: label, path: shown, detail }, place));
    return { set: true, label, place };
  }
  if (!isReference(content)) context.problems.push(...checkPermissions(file));
  const place = { file, line: 1, column: 1 };
  context.sources.set(name, place);
  if (content === '') {
    context.problems.push(problem('KEY_FILE', { name: label, path: file, detail: 'it is empty' }, place));
    return { set: true, label, place };
  }
  const text = open(context, name, content, label, place);
  return { set: true, label, place, ...(text !== undefined && { text }) };
}

/** Reads the private key, and puts its fingerprint and its one-line form where they belong. */
function usePrivateKey(context: Context, api: Parsed['api'], given: SecretText, auth: string): void {
  if (given.text !== undefined && isPlaceholder(given.text)) {
    context.problems.push(problem('KEY_PLACEHOLDER', { name: given.label }, given.place));
    return;
  }
  try {
    const parsed = parsePrivateKey(given.text ?? '', given.label);
    const digest = thumbprint(parsed.key);
    api.private_key = parsed.text;
    context.fingerprints.set('api.private_key', auth === 'jwt' ? digest.toString('hex').slice(0, 12) : fingerprint(parsed.text));
    const kid = digest.toString('base64url');
    if (api.kid !== undefined && api.kid !== kid) {
      const name = entryOf(context, 'api.kid')?.written ?? 'api.kid';
      context.problems.push(problem('KEY_ID', { name, thumbprint: kid }, placeOfSetting(context, 'api.kid')));
    }
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    context.problems.push({ ...error.problem, ...given.place });
  }
}
