import { type Counters, parseNetSnmp, parseNetSnmp6 } from '../procfs/netsnmp.ts';
import { countTcpStates, TCP_STATES } from '../procfs/nettcp.ts';
import { parseSockstat } from '../procfs/sockstat.ts';
import type { Metric, Point } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import { type Collector, type CollectorDefinition, metric, rows } from './collector.ts';
import { type Files, isAbsent, netFolder } from './files.ts';
import { pageSize } from './pages.ts';

/** Bytes of net/tcp and net/tcp6 read at most, some 28,000 connections each. */
const MOST_BYTES = 4 * 2 ** 20;
/** The kernel walks its whole hash table for net/tcp, milliseconds even with no connection: not with every sample. */
const LEAST_PAUSE = 60_000;
/** And then at most this share of one processor: the pause is that many times what reading took. */
const PAUSE_FACTOR = 10_000;

/** The kernel's words in sockstat, where ours are clearer. */
const WORDS: Record<string, string> = { inuse: 'in_use', tw: 'time_wait', alloc: 'allocated' };

class Sockets implements Collector {
  readonly #host: Host;
  readonly #files: Files;
  readonly #folder: string;
  readonly #page: number;
  #states: Metric[] = [];
  #statesDue = Number.NEGATIVE_INFINITY;

  constructor(host: Host, files: Files) {
    this.#host = host;
    this.#files = files;
    this.#folder = netFolder(host);
    this.#page = pageSize(host);
  }

  collect(): Metric[] {
    const snmp = this.#files.text(`${this.#folder}/snmp`);
    const tcp = parseNetSnmp(snmp, 'Tcp', ['CurrEstab', ...Object.values(TCP)]);
    const netstat = this.#files.optional(`${this.#folder}/netstat`);
    const extended = netstat === undefined ? {} : parseNetSnmp(netstat, 'TcpExt', Object.values(TCP_EXTENDED));
    const metrics = [
      ...this.#sockstat(),
      metric('scout.tcp.events', '{event}', 'counter', ['event'], rows({ ...renamed(TCP, tcp), ...renamed(TCP_EXTENDED, extended) })),
    ];
    if (tcp.CurrEstab !== undefined) metrics.push(metric('scout.tcp.established', '{connection}', 'updowncounter', [], [[tcp.CurrEstab]]));
    const udp = rows(renamed(UDP, parseNetSnmp(snmp, 'Udp', Object.values(UDP)))).map(
      ([event, value]): Point => ['ipv4', event as string, value as number],
    );
    const snmp6 = this.#files.optional(`${this.#folder}/snmp6`);
    if (snmp6 !== undefined)
      for (const [event, value] of rows(renamed(UDP, parseNetSnmp6(snmp6, 'Udp6', Object.values(UDP)))))
        udp.push(['ipv6', event as string, value as number]);
    metrics.push(metric('scout.udp.events', '{event}', 'counter', ['network.type', 'event'], udp));
    if (this.#host.monotonic() >= this.#statesDue) this.#countStates();
    return [...metrics, ...this.#states];
  }

  #sockstat(): Metric[] {
    const counts: Point[] = [];
    const memory: Point[] = [];
    const add = (text: string | undefined) => {
      for (const [protocol, found] of Object.entries(parseSockstat(text ?? ''))) {
        const name = protocol.toLowerCase();
        // UDP-Lite and IP fragments: nobody asks for them.
        if (!found || name.startsWith('udplite') || name.startsWith('frag')) continue;
        for (const [state, value] of Object.entries(found)) {
          if (state === 'mem') memory.push([name, value * this.#page]);
          else counts.push([name === 'sockets' ? 'all' : name, WORDS[state] ?? state, value]);
        }
      }
    };
    add(this.#files.text(`${this.#folder}/sockstat`));
    add(this.#files.optional(`${this.#folder}/sockstat6`));
    return [
      metric('scout.sockets', '{socket}', 'updowncounter', ['protocol', 'state'], counts),
      metric('scout.sockets.memory', 'By', 'updowncounter', ['protocol'], memory),
    ];
  }

  #countStates(): void {
    const started = this.#host.monotonic();
    const counts: number[] = [];
    let whole = true;
    for (const file of ['tcp', 'tcp6']) {
      try {
        whole = this.#files.pieces(`${this.#folder}/${file}`, MOST_BYTES, (text) => countTcpStates(text, counts)) && whole;
      } catch (error) {
        // No IPv6.
        if (!isAbsent(error)) throw error;
      }
    }
    const byState: Record<string, number> = {};
    for (const [index, state] of TCP_STATES.entries()) if (state) byState[state] = (byState[state] ?? 0) + (counts[index] ?? 0);
    this.#states = [
      metric(
        'system.network.connection.count',
        '{connection}',
        'updowncounter',
        ['network.transport', 'network.connection.state'],
        Object.entries(byState).map(([state, count]) => ['tcp', state, count]),
      ),
      ...(whole ? [] : [metric('scout.tcp.states_cut', '1', 'gauge', [], [[1]])]),
    ];
    const ended = this.#host.monotonic();
    this.#statesDue = ended + Math.max(LEAST_PAUSE, (ended - started) * PAUSE_FACTOR);
  }
}

/** Our words for the kernel's counters. */
const TCP = {
  active_open: 'ActiveOpens',
  passive_open: 'PassiveOpens',
  failed_attempt: 'AttemptFails',
  established_reset: 'EstabResets',
  segment_in: 'InSegs',
  segment_out: 'OutSegs',
  retransmit: 'RetransSegs',
  in_error: 'InErrs',
  reset_sent: 'OutRsts',
  checksum_error: 'InCsumErrors',
};
const TCP_EXTENDED = {
  listen_overflow: 'ListenOverflows',
  listen_drop: 'ListenDrops',
  syncookie_sent: 'SyncookiesSent',
  timeout: 'TCPTimeouts',
  backlog_drop: 'TCPBacklogDrop',
  abort_on_memory: 'TCPAbortOnMemory',
};
const UDP = {
  datagram_in: 'InDatagrams',
  datagram_out: 'OutDatagrams',
  no_port: 'NoPorts',
  in_error: 'InErrors',
  receive_buffer_error: 'RcvbufErrors',
  send_buffer_error: 'SndbufErrors',
  checksum_error: 'InCsumErrors',
};

function renamed(names: Record<string, string>, found: Counters): Counters {
  const counters: Counters = {};
  for (const ours in names) counters[ours] = found[names[ours] as string];
  return counters;
}

export const sockets: CollectorDefinition<'sockets'> = {
  name: 'sockets',
  summary: 'TCP and UDP: connections by state, retransmits, errors, socket counts.',
  create: (host, _settings, files) => new Sockets(host, files),
};
