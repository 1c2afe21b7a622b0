import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ScoutError } from '../../../support/errors.ts';

/** What a line of the file is looked up by. */
export interface Wanted {
  host: string;
  port: number;
  database: string;
  user: string;
}

/**
 * The password that PGPASSFILE, or ~/.pgpass, has for a database (PostgreSQL manual, 34.16: `host:port:database:user:password`
 * a line, `*` for any, the first that fits). Undefined when there is no file, or none in it. Throws FILE_UNREADABLE for a
 * file that was named and is not there, and CONFIG_PERMISSIONS for one that others may read.
 */
export function passwordFrom(env: NodeJS.ProcessEnv, wanted: Wanted): string | undefined {
  const path = env.PGPASSFILE ?? join(homedir(), '.pgpass');
  let text: string;
  try {
    const { mode } = statSync(path);
    if (mode & 0o077 && process.platform !== 'win32')
      throw new ScoutError('CONFIG_PERMISSIONS', { path, mode: (mode & 0o777).toString(8), wanted: '600', argument: path });
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ScoutError) throw error;
    if (env.PGPASSFILE === undefined) return undefined;
    throw new ScoutError('FILE_UNREADABLE', { path, detail: (error as NodeJS.ErrnoException).code ?? 'it is no file' });
  }
  return passwordIn(text, wanted);
}

/** The password of the first line that fits. */
export function passwordIn(text: string, { host, port, database, user }: Wanted): string | undefined {
  const values = [host.startsWith('/') ? 'localhost' : host, String(port), database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const fields = fieldsOf(line);
    if (fields.length === 5 && values.every((value, index) => fields[index] === '*' || unescaped(fields[index]) === value))
      return unescaped(fields[4]);
  }
  return undefined;
}

/** Four fields up to a colon that no backslash stands before, and the rest. */
function fieldsOf(line: string): string[] {
  const found = /^((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):(.*)$/.exec(line);
  return found ? found.slice(1) : [];
}

const unescaped = (field = '') => field.replace(/\\(.)/g, '$1');
