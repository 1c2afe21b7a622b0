import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** A request, with the address that it comes from where a proxy told it. */
export type Arrived = IncomingMessage & { from?: string };

/** Most hops that are looked at: the header is as long as whoever sends it likes. */
const HOPS_MOST = 20;

/**
 * The proxies in front of the hub whose word is taken for where a request comes from (X-Forwarded-For). Of anybody else
 * that header means nothing: it would let a guesser count as somebody new with each guess.
 */
export class Proxies {
  readonly #list: BlockList;
  readonly #unix: boolean;

  constructor(list: BlockList, unix: boolean) {
    this.#list = list;
    this.#unix = unix;
  }

  /** From addresses and networks (`192.0.2.7`, `10.0.0.0/8`, `fd00::/8`), and `unix` for sockets; undefined when one is none. */
  static parse(texts: string[]): Proxies | undefined {
    const list = new BlockList();
    for (const text of texts) {
      if (text === 'unix') continue;
      const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
      const family = isIP(address);
      if (family === 0 || Number(bits ?? 0) > (family === 4 ? 32 : 128)) return undefined;
      list.addSubnet(address, Number(bits ?? (family === 4 ? 32 : 128)), family === 4 ? 'ipv4' : 'ipv6');
    }
    return new Proxies(list, texts.includes('unix'));
  }

  /** Whether one who is at the other end of a socket is such a proxy; undefined stands for a Unix socket. */
  trusts(address: string | undefined): boolean {
    if (address === undefined) return this.#unix;
    const plain = unmapped(address);
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  }

  /** Where a request comes from: the last hop that is none of these proxies. */
  clientOf({ socket, headers }: Pick<IncomingMessage, 'headers'> & { socket: { remoteAddress?: string | undefined } }): string {
    let client = socket.remoteAddress;
    const told = headers['x-forwarded-for'];
    const hops = (Array.isArray(told) ? told.join(',') : (told ?? '')).split(',').slice(-HOPS_MOST).reverse();
    for (const hop of hops) {
      if (!this.trusts(client)) break;
      const address = addressIn(hop.trim());
      // What is no address was not put there by a proxy that says where it got a request from.
      if (address === undefined) break;
      client = address;
    }
    return unmapped(client ?? '');
  }
}

/** Where a request comes from, as far as the hub knows; empty where there is no address. */
export const fromOf = (request: Arrived | undefined): string => request?.from ?? request?.socket.remoteAddress ?? '';

/** The address of a hop, without a port. */
function addressIn(hop: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
  return isIP(bare) === 0 ? undefined : bare;
}

const unmapped = (address: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
