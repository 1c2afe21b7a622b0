import { lstatSync, statSync } from 'node:fs';
import path from 'node:path';
import { type Problem, problem } from '../support/errors.ts';
import { hideKeys } from '../support/hide.ts';
import { configFolder, systemFolder } from './folders.ts';

/** Where a configuration is looked for, in order; the first that exists is the one. Elsewhere than on Windows. */
export const PLACES = [
  '/etc/scout-agent/config.toml',
  '/etc/scout-agent/config.yml',
  '/etc/scout-agent/config.yaml',
  '/etc/scout-agent/agent.env',
  '/opt/scout-agent/agent.env',
  '/opt/scout-agent/agent.env.yml',
  '/opt/serverscout/config.yml',
  '/etc/observer-agent.env',
];

const NAMES = ['config.toml', 'config.yml', 'config.yaml', 'agent.env'];

/** All that are looked at on this system for this user. `root` is put before those of /etc and /opt; tests only. */
export function places(env: NodeJS.ProcessEnv, uid: number, root = '', platform: NodeJS.Platform = process.platform): string[] {
  return [...systemPlaces(env, root, platform), ...ownPlaces(env, uid, platform)];
}

/** On Windows no older agent had its own place. */
function systemPlaces(env: NodeJS.ProcessEnv, root: string, platform: NodeJS.Platform): string[] {
  if (platform !== 'win32') return PLACES.map((place) => root + place);
  return NAMES.map((name) => path.win32.join(systemFolder(env, root, platform), name));
}

/** Last, for another user than root: under XDG_CONFIG_HOME. */
function ownPlaces(env: NodeJS.ProcessEnv, uid: number, platform: NodeJS.Platform): string[] {
  return uid === 0 || platform === 'win32' ? [] : NAMES.map((name) => path.join(configFolder(env, uid), name));
}

/**
 * The configuration file: the one named (`--config`, then $SCOUT_CONFIG), else the first of `places` that exists under
 * `root`; null when there is none. A named file that does not exist is a fault, and so is a place
 * that holds something else: to pass it over would be to run by a configuration that nobody meant.
 */
export function discover(
  named: string | undefined,
  env: NodeJS.ProcessEnv,
  uid: number,
  root = '',
): { file: string | null; problem?: Problem } {
  const wanted = named ?? (env.SCOUT_CONFIG || undefined);
  const file =
    wanted !== undefined
      ? path.resolve(wanted)
      : (systemPlaces(env, root, process.platform).find((place) => lstat(place)) ??
        // A home that may not be entered, as root's after su(1), is nobody's own.
        ownPlaces(env, uid, process.platform).find((place) => lstat(place, false)));
  if (file === undefined) return { file: null };
  const detail = wanted === '' ? 'its path is empty' : faultOf(file);
  if (detail === undefined) return { file };
  const origin = named !== undefined ? '--config' : wanted !== undefined ? '$SCOUT_CONFIG' : 'one of those that are looked at';
  return { file, problem: problem('CONFIG_MISSING_FILE', { path: wanted === '' ? '``' : hideKeys(file), detail, origin }) };
}

/**
 * Whether anything is there, be it a folder (Docker makes one where a mounted file is missing) or a dead link; `denied`:
 * what to take it for where one may not look.
 */
function lstat(file: string, denied = true): boolean {
  try {
    lstatSync(file);
    return true;
  } catch (error) {
    return denied && (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

/** Why it is no file to read; what this user may not look at is told when it is read. */
function faultOf(file: string): string | undefined {
  try {
    const stat = statSync(file);
    return stat.isFile() ? undefined : stat.isDirectory() ? 'it is a folder' : 'it is not a regular file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') return undefined;
    if (code === 'ELOOP') return 'it is a link that leads back to itself';
    return lstat(file) ? 'it is a link to a file that does not exist' : 'it does not exist';
  }
}
