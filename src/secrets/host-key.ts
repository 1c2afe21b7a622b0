import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { configFolder, systemFolder } from '../config/folders.ts';
import { isMounted } from '../config/permissions.ts';
import { syncFolder } from '../support/atomic.ts';
import { detailOf, type ErrorCode, type Params, type Problem, problem, ScoutError } from '../support/errors.ts';
import { recordOf } from './machines.ts';
import { loadsHostKey } from './unit.ts';

const BYTES = 32;

/** SetCredential=host.key: in the unit, since a credential whose file is missing would keep the agent from starting. */
const NONE = 'none';

/** Where systemd keeps what the agent's unit was handed, while it runs: for commands of root and of its user, which are not of the unit. */
export const UNIT_CREDENTIALS = '/run/credentials/scout-agent.service';

/** Whose host key, on which machine. */
export interface Where {
  env: NodeJS.ProcessEnv;
  uid: number;
  /** Put before /etc; tests only. */
  root?: string;
}

/**
 * The file that sealed values open with: $SCOUT_HOST_KEY_FILE; else what systemd handed over by LoadCredential=; else
 * root's, /etc/scout-agent/host.key (on Windows that below ProgramData, for all), or a user's own under XDG_CONFIG_HOME.
 * Where root has none, as with LoadCredentialEncrypted=, and for the user whom the unit runs as, the one that the running
 * unit was handed. For another user who has none root's is named when it is there: then the error says that it may not be
 * read, which is nearer to the cause.
 */
export function findHostKey(where: Where): string {
  const { CREDENTIALS_DIRECTORY: folder } = where.env;
  if (where.env.SCOUT_HOST_KEY_FILE) return ownHostKey(where);
  const handed = folder && path.join(folder, 'host.key');
  if (handed && isHanded(handed)) return handed;
  const [own, system] = [ownHostKey(where), systemHostKey(where)];
  if (isThere(own)) return own;
  const units = path.join(UNIT_CREDENTIALS, 'host.key');
  // Theirs alone who are root or the unit's own user.
  if (where.root === undefined && (where.uid === 0 || isReadable(units)) && isHanded(units)) return units;
  // A service whose credentials hold none misses root's, and not one in the home of its user.
  return isThere(system) || folder ? system : own;
}

/** The host key to seal with, made when there is none; `made` tells which. Throws the HOST_KEY_ errors and FILE_UNWRITABLE. */
export function ensureHostKey(where: Where, typed: Params): { file: string; key: Buffer; made: boolean } {
  const found = findHostKey(where);
  // A user who may not read root's gets one of his own.
  const file = found === systemHostKey(where) && where.uid !== 0 ? ownHostKey(where) : found;
  // What is sealed with a copy that goes with the service would open with nothing after it.
  const fleeting = fleetingHostKey(where);
  if (fleeting) throw ScoutError.of(fleeting);
  // Beside the record of a host key that is gone, a new one would make that loss final.
  const made = !isThere(file) && !isThere(recordOf(file)) && createHostKey(file);
  return { file, key: readHostKey(file, typed), made };
}

/**
 * HOST_KEY_FLEETING where the host key is the running service's copy of one that is gone: at the next start there would be
 * none. It is none such where the unit takes it from elsewhere, as an encrypted credential.
 */
export function fleetingHostKey(where: Where): Problem | undefined {
  const file = findHostKey(where);
  if (path.dirname(file) !== UNIT_CREDENTIALS || loadsHostKey()) return undefined;
  return problem('HOST_KEY_FLEETING', { path: file, system: systemHostKey(where) });
}

/** Reads a host key. Throws HOST_KEY_MISSING, HOST_KEY_UNREADABLE, HOST_KEY_OPEN or HOST_KEY_SIZE; `typed` is for their remedies. */
export function readHostKey(file: string, typed: Params): Buffer {
  const fault = (code: ErrorCode, params: Params = {}) => new ScoutError(code, { ...typed, ...params, path: file });
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw fault(missing ? 'HOST_KEY_MISSING' : 'HOST_KEY_UNREADABLE', { detail: codeOf(error) });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw fault('HOST_KEY_UNREADABLE', { detail: 'it is not a file' });
    if (stat.mode & 0o077 && !isGuarded(file)) {
      throw fault('HOST_KEY_OPEN', { mode: (stat.mode & 0o777).toString(8).padStart(4, '0') });
    }
    const bytes = Buffer.alloc(BYTES + 1);
    const length = stat.size > BYTES ? stat.size : readSync(fd, bytes);
    if (length !== BYTES) throw fault('HOST_KEY_SIZE', { size: length });
    return bytes.subarray(0, BYTES);
  } catch (error) {
    throw error instanceof ScoutError ? error : fault('HOST_KEY_UNREADABLE', { detail: codeOf(error) });
  } finally {
    closeSync(fd);
  }
}

/**
 * Makes a host key where there is none, durably and whole or not at all; false when one was there already, which is
 * never touched: link(2) does not replace. Throws FILE_UNWRITABLE.
 */
function createHostKey(file: string): boolean {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.host.key.${randomBytes(6).toString('hex')}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const fd = openSync(temporary, 'wx', 0o400);
    try {
      try {
        fchmodSync(fd, 0o400);
        writeSync(fd, randomBytes(BYTES));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      linkSync(temporary, file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(temporary, { force: true });
      syncFolder(folder);
    }
  } catch (error) {
    throw new ScoutError('FILE_UNWRITABLE', { path: file, detail: detailOf(error) });
  }
}

const systemHostKey = ({ env, root }: Where): string => path.join(systemFolder(env, root), 'host.key');

function ownHostKey(where: Where): string {
  const { env, uid, root } = where;
  if (env.SCOUT_HOST_KEY_FILE) return path.resolve(env.SCOUT_HOST_KEY_FILE);
  // On Windows the service has it in common with the administrator who sealed the value.
  return path.join(configFolder(env, uid, root), 'host.key');
}

/**
 * Whether others than we keep the file closed: systemd's credentials have an access list, which shows as a mode for the
 * group; the mode of a mounted secret is not ours to set; Windows has no modes.
 */
function isGuarded(file: string): boolean {
  return process.platform === 'win32' || /^\/run\/(user\/\d+\/)?credentials\//.test(file) || isMounted(file);
}

/** Whether systemd handed a host key over, and not the word that the unit sets where there is none. */
function isHanded(file: string): boolean {
  try {
    return statSync(file).size !== NONE.length || readFileSync(file, 'latin1') !== NONE;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Also true of what this user may not look at. */
function isThere(file: string): boolean {
  try {
    statSync(file);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? detailOf(error);
