import { connect, isIP, type Socket } from 'node:net';
import { connect as secure } from 'node:tls';
import type { Address } from './address.ts';

/** SSLRequest (PostgreSQL manual, 54.7): its length and the number that no version of the protocol has. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = 0x53;

/**
 * Opens a connection to one host of an address, over TLS as that says. Throws what Node throws, and CONNECTION_CLOSED
 * when the server hangs up. `made` hears of the socket at once, so that it can be destroyed meanwhile.
 */
export async function openSocket(
  { tls }: Pick<Address, 'tls'>,
  host: string,
  port: number,
  made: (socket: Socket) => void,
): Promise<Socket> {
  const socket = guarded(host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect({ host, port, noDelay: true }));
  made(socket);
  await first(socket, 'connect');
  if (!tls) return socket;
  const answered = first<Buffer>(socket, 'data');
  socket.write(SSL_REQUEST);
  const answer = await answered;
  // Bytes behind the answer cannot be the server's: it waits for the handshake. Somebody in between has put them there.
  const yes = answer.length === 1 && answer[0] === YES;
  if (!yes && tls === 'prefer') return socket;
  if (!yes) throw closed('it offers no TLS, and sslmode wants it');
  // The host, since without a name (an address is none) the certificate would be held against `localhost`.
  const name = isIP(host) ? {} : { servername: host };
  const wrapped = guarded(secure({ ...(tls === 'prefer' ? { rejectUnauthorized: false } : tls), socket, host, ...name }));
  made(wrapped);
  await first(wrapped, 'secureConnect');
  return wrapped;
}

/**
 * The driver takes its listeners off a socket that has ended, and an error that comes after that would end the process:
 * one listener stays.
 */
function guarded<T extends Socket>(socket: T): T {
  const ignore = () => {};
  socket.on('error', ignore);
  const removeAll = socket.removeAllListeners.bind(socket);
  socket.removeAllListeners = (event?: string | symbol) => {
    removeAll(event);
    if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
    return socket;
  };
  return socket;
}

/** Waits for an event; rejects when the connection fails or ends before. */
function first<T = void>(socket: Socket, event: 'connect' | 'data' | 'secureConnect'): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      socket.off(event, arrived).off('error', reject).off('close', ended);
      settle();
    };
    const arrived = (value: T) => done(() => resolve(value));
    const ended = () => done(() => reject(closed('the connection broke')));
    socket.once(event, arrived).once('error', reject).once('close', ended);
  });
}

const closed = (detail: string) => Object.assign(new Error(detail), { code: 'CONNECTION_CLOSED' });
