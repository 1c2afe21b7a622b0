import type { Socket } from 'node:net';

/**
 * The places for connections. When all are taken, the oldest of those behind which nobody has reported yet makes room:
 * whoever opens connections by the thousand and sends nothing, or a byte at a time, pushes out none but his own, and
 * agents that are connected stay so.
 */
export class Connections {
  readonly #most: number;
  /** Oldest first, by the address and port of the other end, which name a connection while it lasts. */
  readonly #strangers = new Map<string, Socket>();
  /** Told of with each heartbeat, and looked up once. */
  readonly #known = new WeakSet<Socket>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** A connection was made; TLS, if any, comes later. */
  opened(socket: Socket): void {
    const name = nameOf(socket);
    this.#count++;
    this.#strangers.set(name, socket);
    socket.once('close', () => {
      this.#count--;
      if (this.#strangers.get(name) === socket) this.#strangers.delete(name);
    });
    if (this.#count <= this.#most) return;
    for (const [oldest, stranger] of this.#strangers.entries().take(1)) {
      this.#strangers.delete(oldest);
      stranger.destroy();
    }
  }

  /** Somebody who belongs here is at the other end. */
  known(socket: Socket): void {
    if (this.#known.has(socket)) return;
    this.#known.add(socket);
    this.#strangers.delete(nameOf(socket));
  }
}

const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
