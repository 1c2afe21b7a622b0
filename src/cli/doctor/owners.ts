import { execFileSync } from 'node:child_process';
import { readFileSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

/** The name of a user by number, as far as passwd(5) of this host tells; else the number. */
export const userOf = (uid: number): string => named('/etc/passwd', uid);

/** The name of a group by number, as far as group(5) of this host tells; else the number. */
export const groupOf = (gid: number): string => named('/etc/group', gid);

function named(file: string, id: number): string {
  try {
    const line = readFileSync(file, 'utf8')
      .split('\n')
      .find((one) => one.split(':')[2] === String(id));
    return line?.split(':')[0] || String(id);
  } catch {
    return String(id);
  }
}

/** Mode and owner, as `ls -l` names them. */
export const shown = ({ mode, uid, gid }: Stats): string =>
  `mode ${(mode & 0o7777).toString(8).padStart(4, '0')}, user ${userOf(uid)}, group ${groupOf(gid)}`;

/**
 * Which of these files another user may not read, each with what keeps that user out: a folder on the way, or the file
 * itself. The kernel is asked as that user with all its groups, so that access lists count. Empty where only root could ask
 * and we are not root, and where there is no setpriv(1).
 */
export function closedTo(uid: number, gid: number, files: string[]): { file: string; at: string; folder: boolean }[] {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || uid === 0) return [];
  const ways = files.map((file) => [...foldersOf(file), file]);
  const script = 'for one; do case $one in */) test -x "$one";; *) test ! -e "$one" || test -r "$one";; esac || echo "$one"; done';
  const as = ['--reuid', String(uid), '--regid', String(gid), '--init-groups'];
  let closed: Set<string>;
  try {
    const words = ['--', 'sh', '-c', script, 'sh', ...new Set(ways.flat())];
    closed = new Set(execFileSync('setpriv', [...as, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n'));
  } catch {
    return [];
  }
  return ways.flatMap((way) => {
    const at = way.find((one) => closed.has(one));
    return at === undefined ? [] : [{ file: way.at(-1) as string, at, folder: at.endsWith('/') }];
  });
}

/** The folders that lead to a file, from the root on, each with a `/` at its end. */
function foldersOf(file: string): string[] {
  const folder = dirname(file);
  return folder === '/' ? ['/'] : [...foldersOf(folder), `${folder}/`];
}
