/**
 * `npm run bench:watchdog [MESSAGES]`: processor time of one message to the service manager, by each way that a Node
 * process has: a datagram of its own, a resident helper with such a socket behind a pipe, a systemd-notify(1) spawned
 * each time. In turn, ROUNDS times; medians; the children's time counts. The other end is a real datagram socket.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemdNotify } from '../src/agent/notify.ts';
import { datagramsTo } from '../src/agent/notify-socket.ts';
import { machine, median, print, reading } from './lib.ts';

const messages = Number(process.argv[2] ?? 200);
const ROUNDS = 7;
/** What proc_pid_stat(5) counts in. */
const TICK_MS = 10;
/** Fewer than the queue of a datagram socket holds. */
const AT_ONCE = 5;
const OWN = 'a datagram of its own (node:ffi)';

const RECEIVER = `
  const { socket, bind, recv } = require('node:ffi').dlopen(null, {
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    bind: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
    recv: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  }).functions;
  const fd = socket(1, 2, 0);
  const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(process.argv[1] + '\\0')]);
  if (bind(fd, address, address.length) !== 0) process.exit(1);
  process.stdout.write('ready\\n', () => { for (const room = Buffer.alloc(4096); ; ) recv(fd, room, 4096n, 0); });`;
const HELPER = `
  use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; my $to = pack_sockaddr_un($ENV{NOTIFY_SOCKET});
  while (<STDIN>) { chomp; send($s, $_, 0, $to); print "\\n" }`;

const folder = mkdtempSync(join(os.tmpdir(), 'scout-watchdog-'));
const socket = join(folder, 'notify');
process.env.NOTIFY_SOCKET = socket;

/** Milliseconds of processor of this process and of those of its children that have ended. */
function used(): number {
  const { user, system } = process.cpuUsage();
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (user + system) / 1_000 + (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

/** One line from a child. */
const said = (child: ChildProcess) => new Promise((resolve) => child.stdout?.once('data', resolve));

const receiver = spawn(process.execPath, ['-e', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'ignore'] });
await said(receiver);
const helper = spawn('perl', ['-e', HELPER], { stdio: ['pipe', 'pipe', 'inherit'] });
try {
  const datagrams = datagramsTo(socket);
  if (!datagrams) throw new Error('there is no node:ffi here');
  /** Milliseconds a message: a few at a time, with a pause that does not count, or the other end would not keep up. */
  const own = async () => {
    let [spent, sent] = [0, 0];
    while (sent < messages * 20) {
      const before = process.cpuUsage();
      for (let one = 0; one < AT_ONCE; one += 1) sent += datagrams(['WATCHDOG=1']) ? 1 : 0;
      const { user, system } = process.cpuUsage(before);
      spent += (user + system) / 1_000;
      await sleep(1);
    }
    return spent / sent;
  };
  const through = async (count: number, send: () => Promise<unknown>) => {
    // The helper lives on: its own time is read apart.
    const [before, helped] = [used(), reading(helper.pid as number).cpu];
    for (let sent = 0; sent < count; sent += 1) await send();
    return (used() - before + (reading(helper.pid as number).cpu - helped) * 1_000) / count;
  };
  const ways = {
    [OWN]: own,
    'a resident helper behind a pipe (perl)': () =>
      through(messages * 20, () => {
        const done = said(helper);
        helper.stdin?.write('WATCHDOG=1\n');
        return done;
      }),
    'systemd-notify, spawned each time': () => through(messages, () => systemdNotify(['WATCHDOG=1'])),
  };
  const spent = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
  for (let round = 0; round <= ROUNDS; round += 1)
    for (const [name, measure] of Object.entries(ways)) {
      const cost = await measure();
      // The first round warms up.
      if (round > 0) spent.get(name)?.push(cost);
    }
  const base = median(spent.get(OWN) as number[]);
  process.stdout.write(`${machine()}; ${ROUNDS} rounds of ${messages} (the cheap ones ${messages * 20})\n\n`);
  const row = ([name, values]: [string, number[]]) => [
    name,
    (median(values) * 1_000).toFixed(1),
    (Math.min(...values) * 1_000).toFixed(1),
    (Math.max(...values) * 1_000).toFixed(1),
    (median(values) / base).toFixed(1),
    name.includes('perl') ? reading(helper.pid as number).rss.toFixed(1) : '0',
  ];
  print(['', 'µs a message', 'min', 'max', 'ratio', 'MB resident besides'], [...spent].map(row));
} finally {
  helper.kill();
  receiver.kill('SIGKILL');
  rmSync(folder, { recursive: true });
}
