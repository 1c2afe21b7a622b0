import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Place, type Problem, problem } from '../support/errors.ts';
import { hideKeys } from '../support/hide.ts';

/** A value as it stands in the configuration, and as it is. */
export type Opened =
  | { ok: true; value: string /** File that it came from, to be watched. */; file?: string }
  | { ok: false; problem: Problem };

/** Whether a value only points at the secret, or hides it: then the file that holds it may be read by others. */
export const isReference = (text: string): boolean => text.startsWith('systemd-cred:') || text.startsWith('enc:');

/**
 * Opens a secret of the configuration: `systemd-cred:NAME` is read from $CREDENTIALS_DIRECTORY, anything else is the
 * secret itself. `name` is what messages call the setting. The value never gets into a problem.
 */
export function openSecret(name: string, text: string, env: NodeJS.ProcessEnv, place: Place = {}): Opened {
  if (text.startsWith('enc:')) return { ok: false, problem: problem('KEY_SEALED', { name }, place) };
  if (!text.startsWith('systemd-cred:')) return { ok: true, value: text };

  const credential = text.slice('systemd-cred:'.length).trim();
  const failed = (detail: string): Opened => ({
    ok: false,
    problem: problem('KEY_CREDENTIAL', { name, credential: hideKeys(credential), detail }, place),
  });
  if (!/^[A-Za-z0-9._@-]+$/.test(credential) || credential === '.' || credential === '..')
    return failed('a name has letters, digits and . _ @ - only');
  if (!env.CREDENTIALS_DIRECTORY) return failed('the variable CREDENTIALS_DIRECTORY is not set');
  const file = path.join(env.CREDENTIALS_DIRECTORY, credential);
  try {
    return { ok: true, value: withoutNewline(readFileSync(file, 'utf8')), file };
  } catch (error) {
    return failed(`${(error as NodeJS.ErrnoException).code} in ${env.CREDENTIALS_DIRECTORY}`);
  }
}

/** Text without the one line end that editors and `echo` leave at the end of a file. */
export const withoutNewline = (text: string): string => text.replace(/\r?\n$/, '');
