import { dlopen } from 'node:ffi';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { datagramsTo } from '../../src/agent/notify-socket.ts';

/* The other end: a real datagram socket, which Node has as little as the one that sends. */

const folder = mkdtempSync(join(tmpdir(), 'notify-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const linux = process.platform === 'linux';

function receiver(path: string): () => string | undefined {
  const { socket, bind, recv } = dlopen(null, {
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    bind: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
    recv: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  } as const).functions;
  const fd = socket(1, 2, 0);
  const name = path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`;
  const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(name)]);
  expect(bind(fd, address, address.length)).toBe(0);
  return () => {
    const room = Buffer.alloc(4096);
    const length = Number(recv(fd, room, BigInt(room.length), 0x40));
    return length < 0 ? undefined : room.toString('utf8', 0, length);
  };
}

describe.skipIf(!linux)('datagramsTo (skipped: not Linux)', () => {
  it.each([
    ['a path', join(folder, 'socket')],
    ['an abstract name', `@scout-notify-${process.pid}`],
  ])('hands assignments to %s, a datagram each time', (_, path) => {
    const receive = receiver(path);
    const send = datagramsTo(path);
    expect(send?.(['READY=1', 'STATUS=Sampling — fine.'])).toBe(true);
    expect(send?.(['WATCHDOG=1'])).toBe(true);
    expect(receive()).toBe('READY=1\nSTATUS=Sampling — fine.');
    expect(receive()).toBe('WATCHDOG=1');
    expect(receive()).toBeUndefined();
  });

  it('says so when nobody listens, or when the other does not keep up', () => {
    expect(datagramsTo(join(folder, 'none'))?.(['READY=1'])).toBe(false);
    const path = `@scout-full-${process.pid}`;
    const receive = receiver(path);
    const send = datagramsTo(path);
    let sent = 0;
    while (send?.(['WATCHDOG=1'])) sent += 1;
    expect(sent).toBeGreaterThan(0);
    receive();
    expect(send?.(['WATCHDOG=1'])).toBe(true);
  });

  it('knows no other kind of address', () => {
    for (const path of ['vsock:2:1234', 'relative', `/${'x'.repeat(107)}`]) expect(datagramsTo(path), path).toBeUndefined();
  });
});
