import os from 'node:os';
import path from 'node:path';

/**
 * Folders in use when none is configured: what systemd made for the unit, root's own, or a user's under XDG
 * (https://specifications.freedesktop.org/basedir-spec/). systemd can name several, with colons between; the first is ours.
 */
export function defaultFolders(env: NodeJS.ProcessEnv, uid: number): { state: string; runtime: string } {
  const named = (variable: string) => env[variable]?.split(':')[0] || undefined;
  const root = uid === 0;
  const home = env.HOME || os.homedir();
  const own = (base: string) => path.join(base, 'scout-agent');
  const state =
    named('STATE_DIRECTORY') ?? (root ? '/var/lib/scout-agent' : own(absolute(env.XDG_STATE_HOME) ?? path.join(home, '.local/state')));
  const session = absolute(env.XDG_RUNTIME_DIR);
  const runtime = named('RUNTIME_DIRECTORY') ?? (root ? '/run/scout-agent' : session ? own(session) : path.join(state, 'run'));
  return { state, runtime };
}

const absolute = (folder: string | undefined): string | undefined => (folder && path.isAbsolute(folder) ? folder : undefined);
