import type * as FFI from 'node:ffi';

/** Sends assignments of sd_notify(3); false when they could not be handed over at once. */
export type Datagrams = (assignments: string[]) => boolean;

/** Numbers of Linux on x86-64 and arm64 alike: socket(2), send(2). */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** sockaddr_un of unix(7): two bytes of family, then at most this many of the path. */
const MOST_PATH_BYTES = 107;

/**
 * A way to the datagram socket at `path` (NOTIFY_SOCKET; `@` begins an abstract one), by the C library's own sendto(2):
 * Node has no such sockets. Undefined where it cannot be had: another system or processor, a Node without node:ffi, a
 * socket of another kind. It never waits, since a service manager that is stuck must not hold up the loop.
 */
export function datagramsTo(path: string): Datagrams | undefined {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return undefined;
  const name = Buffer.from(path);
  if (!/^[/@]/.test(path) || name.length > MOST_PATH_BYTES) return undefined;
  try {
    // Not by an import: a Node without it would not start.
    const ffi = process.getBuiltinModule('node:ffi') as typeof FFI | undefined;
    if (!ffi) return undefined;
    const { socket, sendto } = ffi.dlopen(null, {
      socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
      sendto: { arguments: ['i32', 'buffer', 'u64', 'i32', 'buffer', 'u32'], return: 'i64' },
    } as const).functions;
    const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return undefined;
    const address = addressOf(name);
    return (assignments) => {
      const message = Buffer.from(assignments.join('\n'));
      const sent = sendto(fd, message, BigInt(message.length), MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
      return Number(sent) === message.length;
    };
  } catch {
    return undefined;
  }
}

function addressOf(name: Buffer): Buffer {
  const abstract = name[0] === 0x40;
  // A path ends in a zero; an abstract name begins with one, and its length is that of the address.
  const address = Buffer.alloc(2 + name.length + (abstract ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  if (abstract) address[2] = 0;
  return address;
}
