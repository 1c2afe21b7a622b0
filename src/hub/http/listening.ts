import { rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { detailOf, ScoutError } from '../../support/errors.ts';

/** Where a server listens: an address, or the path of a Unix socket. */
export type Where = { host: string; port: number } | { path: string };

/** Listens. Throws HUB_LISTEN. */
export function listening(server: Server, where: Where): Promise<void> {
  const address = 'path' in where ? where.path : `${where.host}:${where.port}`;
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new ScoutError('HUB_LISTEN', { address, detail: detailOf(error) })));
    server.listen(where, resolve);
  });
}

/** Removes a Unix socket that a hub which was killed has left; one behind which somebody listens stays. */
export function clearSocket(path: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(void socket.destroy()));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // Refused is a socket without a listener; whatever else stands there is not ours to remove.
      if (error.code === 'ECONNREFUSED') rmSync(path, { force: true });
      resolve();
    });
  });
}
