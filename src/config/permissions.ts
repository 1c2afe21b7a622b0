import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { type Problem, problem } from '../support/errors.ts';
import { serviceUser } from './service-user.ts';

/**
 * Whether a file that holds a secret is closed to others. Reading (and writing) by the group is allowed where the group
 * is root's or one of this process's, or one of `more`; to root also the group of the agent's own user. Mounted secrets of
 * Kubernetes and Docker have modes that nobody here can change:
 * there it is a warning.
 */
export function checkPermissions(file: string, more: readonly number[] = []): Problem[] {
  if (process.platform === 'win32') return [];
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) return [];
  const mode = stat.mode & 0o777;
  const groups = [0, process.getgid?.(), process.getegid?.(), ...(process.getgroups?.() ?? []), ...more];
  const ownGroup = groups.includes(stat.gid) || (process.getuid?.() === 0 && serviceUser()?.gid === stat.gid);
  if ((mode & 0o006) === 0 && ((mode & 0o060) === 0 || ownGroup)) return [];
  const wanted = ownGroup && (mode & 0o040) !== 0 ? '0640' : '0600';
  const params = { path: file, mode: mode.toString(8).padStart(4, '0'), wanted, argument: quoted(file) };
  return [problem('CONFIG_PERMISSIONS', params, { file }, isMounted(file) ? 'warning' : 'error')];
}

/** A path as a shell takes it. */
const quoted = (file: string): string => (/^[\w./:@%+=,-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`);

/** Kubernetes swaps mounted secrets through a link named `..data`; Docker puts its own under /run/secrets. */
export function isMounted(file: string): boolean {
  return existsSync(path.join(path.dirname(file), '..data')) || file.split(path.sep).includes('..data') || file.startsWith('/run/secrets/');
}
