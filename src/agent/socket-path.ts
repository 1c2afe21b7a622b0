import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ScoutError } from '../support/errors.ts';

/** Room for a path in `struct sockaddr_un`, without its closing zero: unix(7), and 104 in all on the BSDs and macOS. */
const ROOM = process.platform === 'linux' ? 107 : 103;

/** A socket's path in a form the kernel takes; `close` when the socket is closed. */
export interface SocketPath {
  path: string;
  close(): void;
}

/**
 * A path too long for the kernel is reached through an open descriptor of its folder. Throws CONTROL_SOCKET where
 * that does not exist (other than Linux), or what open(2) says of the folder.
 */
export function socketPath(path: string): SocketPath {
  if (process.platform === 'win32') return { path: `\\\\.\\pipe\\${path.replaceAll(/[\\/:]/g, '-')}`, close: () => {} };
  if (Buffer.byteLength(path) <= ROOM) return { path, close: () => {} };
  const name = basename(path);
  if (process.platform !== 'linux' || Buffer.byteLength(name) > ROOM - 32)
    throw new ScoutError('CONTROL_SOCKET', { path, detail: `longer than ${ROOM} bytes` });
  const fd = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${fd}/${name}`, close: () => closeSync(fd) };
}
