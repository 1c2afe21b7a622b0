import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Place, type Problem, problem, ScoutError } from '../support/errors.ts';
import { hideKeys } from '../support/hide.ts';
import { formFault, isSealed, looksSealed, unseal } from './envelope.ts';
import { findHostKey, readHostKey, UNIT_CREDENTIALS, type Where } from './host-key.ts';
import { sealingMachine } from './machine.ts';
import { recordOf } from './machines.ts';

/** A value as it stands in the configuration, and as it is; `files` are those that it depends on, to be watched. */
export type Opened = { ok: true; value: string; files: string[] } | { ok: false; problem: Problem; files: string[] };

/** A secret setting: what the user called it, which it is (`destinations[0].key`), and what it holds. */
export interface Secret {
  label: string;
  field: string;
  text: string;
}

/** Commands that mend a sealed value, as they are typed. */
type Remedies = Record<'again' | 'anew' | 'rewrap', string>;

/** Where secrets are opened. */
export interface Opening extends Where {
  /** `--config` as it was given, for the commands that a remedy names. */
  config?: string;
}

/** Whether a value only points at the secret, or hides it: then the file that holds it may be read by others. */
export const isReference = (text: string): boolean => text.startsWith('systemd-cred:') || isSealed(text);

/** What a value of a field is sealed for: one name for all destinations, whose order may change. */
export const sealedField = (field: string): string => field.replace(/\[\d+\]/, '[]');

/**
 * Opens a secret of the configuration: `enc:` by host key and machine, `systemd-cred:NAME` is read from
 * $CREDENTIALS_DIRECTORY (by root's commands, from what the running unit was handed), anything else is the secret itself.
 * The value never gets into a problem.
 */
export function openSecret(secret: Secret, where: Opening, place: Place = {}): Opened {
  if (looksSealed(secret.text)) return openSealed(secret, where, place);
  if (secret.text.startsWith('systemd-cred:')) return openCredential(secret, where.env, place);
  return { ok: true, value: secret.text, files: [] };
}

/** The remedies for a field. */
export function remedies(field: string, where: Opening): Remedies {
  const config = where.config === undefined ? '' : ` --config ${quoted(where.config)}`;
  const record = recordOf(findHostKey(where));
  const again = `scout-agent encrypt-value --field ${quoted(field)} --in-place${config}`;
  return {
    again,
    // A host key is not made anew beside the record of one that was there: that it is gone must be meant.
    anew: existsSync(record) ? `rm -f ${quoted(record)}; ${again}` : again,
    rewrap: `scout-agent rewrap${config}`,
  };
}

function openSealed({ label, field, text }: Secret, where: Opening, place: Place): Opened {
  const file = findHostKey(where);
  const files = [file];
  const typed = remedies(field, where);
  try {
    // What is wrong with the token itself needs no host key to be told.
    const opened =
      formFault(text) ?? unseal({ hostKey: readHostKey(file, typed), machine: sealingMachine(where.root) }, sealedField(field), text);
    if (opened.ok) return { ok: true, value: opened.text, files };
    return { ok: false, problem: problem(opened.code, { ...opened.params, ...typed, name: label, path: file }, place), files };
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    return { ok: false, problem: { ...error.problem, ...place }, files };
  }
}

function openCredential({ label, text }: Secret, env: NodeJS.ProcessEnv, place: Place): Opened {
  const credential = text.slice('systemd-cred:'.length).trim();
  const failed = (detail: string): Opened => ({
    ok: false,
    problem: problem('KEY_CREDENTIAL', { name: label, credential: hideKeys(credential), detail }, place),
    files: [],
  });
  if (!/^[A-Za-z0-9._@-]+$/.test(credential) || credential === '.' || credential === '..')
    return failed('a name has letters, digits and . _ @ - only');
  const folder = env.CREDENTIALS_DIRECTORY || (existsSync(UNIT_CREDENTIALS) && UNIT_CREDENTIALS);
  if (!folder) return failed('the variable CREDENTIALS_DIRECTORY is not set, and the service does not run');
  const file = path.join(folder, credential);
  try {
    return { ok: true, value: withoutNewline(readFileSync(file, 'utf8')), files: [file] };
  } catch (error) {
    return failed(`${(error as NodeJS.ErrnoException).code} in ${folder}`);
  }
}

/** A word as a shell takes it. */
const quoted = (word: string): string => (/^[\w./:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Text without the one line end that editors and `echo` leave at the end of a file. */
export const withoutNewline = (text: string): string => text.replace(/\r?\n$/, '');
