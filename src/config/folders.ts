import { statSync } from 'node:fs';
import path from 'node:path';
import { homeOf } from '../support/home.ts';

/**
 * Folder of the configuration and of host.key: /etc/scout-agent; on Windows %ProgramData%\\scout-agent, which holds all else
 * as well and is closed by the installer to everybody but SYSTEM, Administrators and the service. `root` is put before /etc;
 * tests only.
 */
export function systemFolder(env: NodeJS.ProcessEnv, root = '', platform: NodeJS.Platform = process.platform): string {
  return platform === 'win32' ? path.win32.join(env.ProgramData || 'C:\\ProgramData', 'scout-agent') : `${root}/etc/scout-agent`;
}

/** The same for whoever asks: another user than root has one of his own, under XDG_CONFIG_HOME. */
export function configFolder(env: NodeJS.ProcessEnv, uid: number, root = '', platform: NodeJS.Platform = process.platform): string {
  if (uid === 0 || platform === 'win32') return systemFolder(env, root, platform);
  return path.join(absolute(env.XDG_CONFIG_HOME) ?? path.join(homeOf(env), '.config'), 'scout-agent');
}

const SYSTEM = { state: '/var/lib/scout-agent', runtime: '/run/scout-agent' };

/**
 * Folders in use when none is configured: what systemd made for the unit, root's own, which are also those of the user whom
 * the installed agent runs as, or a user's under XDG (https://specifications.freedesktop.org/basedir-spec/). systemd can name
 * several, with colons between; the first is ours.
 */
export function defaultFolders(
  env: NodeJS.ProcessEnv,
  uid: number,
  platform: NodeJS.Platform = process.platform,
  ownerOf: (path: string) => number | undefined = (path) => statSync(path, { throwIfNoEntry: false })?.uid,
): { state: string; runtime: string } {
  if (platform === 'win32') {
    const folder = systemFolder(env, '', platform);
    return { state: path.win32.join(folder, 'state'), runtime: path.win32.join(folder, 'run') };
  }
  const named = (variable: string) => env[variable]?.split(':')[0] || undefined;
  const own = (base: string) => path.join(base, 'scout-agent');
  const has = (folder: string) => uid === 0 || ownerOf(folder) === uid;
  const home = homeOf(env);
  const state =
    named('STATE_DIRECTORY') ?? (has(SYSTEM.state) ? SYSTEM.state : own(absolute(env.XDG_STATE_HOME) ?? path.join(home, '.local/state')));
  const session = absolute(env.XDG_RUNTIME_DIR);
  // That user could not make the system's, which go when the service stops.
  const runtime = named('RUNTIME_DIRECTORY') ?? (has(SYSTEM.runtime) ? SYSTEM.runtime : session ? own(session) : path.join(state, 'run'));
  return { state, runtime };
}

const absolute = (folder: string | undefined): string | undefined => (folder && path.isAbsolute(folder) ? folder : undefined);
