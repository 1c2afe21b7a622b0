import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { detailOf, ScoutError } from '../../../support/errors.ts';
import { checkFile } from './integrity.ts';
import { publish } from './publish.ts';

/**
 * Writes a copy of a database into a new file of mode 0600 while others go on writing: it is as the database was at the
 * moment in which the copy began. It gets its name when it is whole, checked and on disk. Throws HUB_BACKUP.
 *
 * VACUUM INTO reads under one snapshot, which holds up nobody; the backup interface of SQLite begins anew with each
 * commit of another process. It blocks its own process, so it belongs into that of a command.
 */
export function backup(database: DatabaseSync, file: string): void {
  const path = resolve(file);
  const folder = dirname(path);
  if (existsSync(path)) throw fault(file, 'it exists already');
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    closeSync(openSync(temporary, 'wx', 0o600));
    database.prepare('VACUUM INTO ?').run(temporary);
    checkFile(temporary, true);
    publish(temporary, path);
  } catch (error) {
    throw fault(file, error instanceof ScoutError ? error.message : detailOf(error), error);
  } finally {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${temporary}${suffix}`, { force: true });
  }
}

const fault = (path: string, detail: string, cause?: unknown): ScoutError => new ScoutError('HUB_BACKUP', { path, detail }, {}, { cause });
