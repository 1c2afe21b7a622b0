import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePageSize } from '../../src/procfs/auxv.ts';
import { parseDiskstats } from '../../src/procfs/diskstats.ts';
import { parseLoadavg } from '../../src/procfs/loadavg.ts';
import { parseMeminfo } from '../../src/procfs/meminfo.ts';
import { parseMountinfo } from '../../src/procfs/mountinfo.ts';
import { parseNetDev } from '../../src/procfs/netdev.ts';
import { parseNetSnmp, parseNetSnmp6 } from '../../src/procfs/netsnmp.ts';
import { countTcpStates } from '../../src/procfs/nettcp.ts';
import { parseNumbers } from '../../src/procfs/numbers.ts';
import { parseOsRelease } from '../../src/procfs/osrelease.ts';
import { parsePidStat } from '../../src/procfs/pidstat.ts';
import { parsePressure } from '../../src/procfs/pressure.ts';
import { parseSockstat } from '../../src/procfs/sockstat.ts';
import { parseCpuStat, parseStat } from '../../src/procfs/stat.ts';
import { parseSwaps } from '../../src/procfs/swaps.ts';
import { parseUptime } from '../../src/procfs/uptime.ts';
import { parseVmstat } from '../../src/procfs/vmstat.ts';
import { FIXTURES, fixture } from '../helpers/fixture-host.ts';

const WANTED = ['pgfault', 'oom_kill'];

/** Each parser, and the file of the fixtures that it reads. */
const PARSERS: [string, (text: string) => unknown, string][] = [
  ['stat', parseStat, 'proc/stat'],
  ['stat, its processor lines', parseCpuStat, 'proc/stat'],
  ['meminfo', parseMeminfo, 'proc/meminfo'],
  ['loadavg', parseLoadavg, 'proc/loadavg'],
  ['uptime', parseUptime, 'proc/uptime'],
  ['pressure', parsePressure, 'proc/pressure/io'],
  ['mountinfo', parseMountinfo, 'proc/1/mountinfo'],
  ['diskstats', parseDiskstats, 'proc/diskstats'],
  ['net/dev', parseNetDev, 'proc/1/net/dev'],
  ['net/snmp', (text) => parseNetSnmp(text, 'Tcp', ['ActiveOpens', 'InCsumErrors']), 'proc/1/net/snmp'],
  ['net/netstat', (text) => parseNetSnmp(text, 'TcpExt', ['ListenDrops']), 'proc/1/net/netstat'],
  ['net/snmp6', (text) => parseNetSnmp6(text, 'Udp6', ['InDatagrams']), 'proc/1/net/snmp6'],
  ['net/tcp', (text) => countTcpStates(text, []), 'proc/1/net/tcp'],
  ['net/sockstat', parseSockstat, 'proc/1/net/sockstat'],
  ['PID/stat', parsePidStat, 'proc/1/stat'],
  ['swaps', parseSwaps, 'proc/swaps'],
  ['vmstat', (text) => parseVmstat(text, WANTED), 'proc/vmstat'],
  ['file-nr', parseNumbers, 'proc/sys/fs/file-nr'],
  ['os-release', parseOsRelease, 'etc/os-release'],
];

const texts = (file: string): string[] =>
  FIXTURES.flatMap((name) => {
    try {
      return [readFileSync(fixture(name, file), 'latin1')];
    } catch {
      return [];
    }
  });

const holdsNaN = (value: unknown): boolean =>
  typeof value === 'object' && value !== null ? Object.values(value).some(holdsNaN) : Number.isNaN(value);

describe.each(PARSERS)('%s', (_name, parse, file) => {
  it('does not throw on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => void parse(text)));
  });

  it('does not throw on a text cut or changed anywhere, nor give what is no number', () => {
    const known = texts(file);
    expect(known.length).toBeGreaterThan(0);
    const spoilt = fc
      .tuple(fc.constantFrom(...known), fc.nat(), fc.nat(), fc.string({ unit: 'binary', maxLength: 8 }))
      .map(([text, from, length, other]) => {
        const at = from % (text.length + 1);
        return text.slice(0, at) + other + text.slice(at + (length % 200));
      });
    fc.assert(
      fc.property(spoilt, (text) => {
        expect(holdsNaN(parse(text))).toBe(false);
      }),
    );
  });
});

describe('round trips', () => {
  const count = fc.nat({ max: 2 ** 31 });

  it('stat gives back the times of each core', () => {
    fc.assert(
      fc.property(fc.array(fc.array(count, { minLength: 10, maxLength: 10 }), { minLength: 1, maxLength: 8 }), (cores) => {
        const text = `cpu  1 2 3 4 5 6 7 8 9 10\n${cores.map((times, number) => `cpu${number} ${times.join(' ')}\n`).join('')}`;
        expect(parseCpuStat(text).cores.map(({ times }) => Object.values(times))).toEqual(cores);
      }),
    );
  });

  it('PID/stat gives back any name, brackets and all', () => {
    const name = fc.stringMatching(/^[ -~]{1,15}$/);
    fc.assert(
      fc.property(name, count, count, (comm, ticks, pages) => {
        const text = `42 (${comm}) S 1 1 1 0 -1 0 1 0 2 0 ${ticks} 7 0 0 20 0 3 0 900 4096 ${pages} 0 0`;
        expect(parsePidStat(text)).toMatchObject({
          pid: 42,
          name: comm,
          state: 'S',
          userTime: ticks,
          systemTime: 7,
          resident: pages,
          threads: 3,
        });
      }),
    );
  });

  it('mountinfo gives back any mount point as the kernel escapes it', () => {
    const escaped = (text: string) =>
      [...Buffer.from(text)]
        .map((byte) =>
          ' \t\n\\#'.includes(String.fromCharCode(byte)) ? `\\${byte.toString(8).padStart(3, '0')}` : String.fromCharCode(byte),
        )
        .join('');
    const path = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !/[\0\r\v\f\u2028\u2029]/.test(text));
    fc.assert(
      fc.property(path, (name) => {
        const [mount] = parseMountinfo(`36 35 8:1 / /${escaped(name)} rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n`);
        expect(mount?.mountPoint).toBe(`/${name}`);
      }),
    );
  });

  it('net/dev gives back what an interface counted, with and without a blank after the colon', () => {
    fc.assert(
      fc.property(fc.array(count, { minLength: 16, maxLength: 16 }), fc.constantFrom(' ', ''), (columns, gap) => {
        const [found] = parseNetDev(`  eth0:${gap}${columns.join('  ')}\n`);
        expect(found).toMatchObject({
          name: 'eth0',
          receive: { bytes: columns[0] },
          transmit: { bytes: columns[8], dropped: columns[11] },
        });
      }),
    );
  });

  it('net/tcp counts each state', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 40 }), (states) => {
        const line = (state: number, slot: number) =>
          `${String(slot).padStart(4)}: 0100007F:1F90 0100007F:C350 ${state.toString(16).toUpperCase().padStart(2, '0')} 0 0\n`;
        const counts: number[] = [];
        countTcpStates(`  sl  local_address rem_address   st\n${states.map(line).join('')}`, counts);
        for (let state = 1; state <= 12; state++) expect(counts[state] ?? 0).toBe(states.filter((one) => one === state).length);
      }),
    );
  });
});

describe('parsePageSize', () => {
  const entry = (type: bigint, value: bigint) => {
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(type);
    bytes.writeBigUInt64LE(value, 8);
    return bytes;
  };

  it('finds the size among the others', () => {
    expect(parsePageSize(Buffer.concat([entry(33n, 1n), entry(6n, 65_536n), entry(0n, 0n)]))).toBe(65_536);
  });

  it('knows none in what is cut', () => expect(parsePageSize(entry(6n, 4_096n).subarray(0, 12))).toBeUndefined());
});

describe('parseMountinfo', () => {
  it('takes any number of optional fields, and tells a read-only file system from a read-only view of one (ProtectSystem=strict)', () => {
    const found = parseMountinfo(
      '1 2 8:1 / /a ro - ext4 /dev/a rw\n2 2 8:2 / /b rw shared:1 master:2 unbindable - ext4 /dev/b ro,x\n3 2 8:3 / /c rw - ext4 /dev/c rw\n',
    );
    expect(found.map(({ readOnly }) => readOnly)).toEqual([false, true, false]);
  });
});
