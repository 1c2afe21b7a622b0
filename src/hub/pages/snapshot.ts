import type { Store } from '../store/store.ts';
import { type Reading, readRange } from './readings.ts';
import { type Attributes, type Lines, ratesOf, valuesOf } from './series.ts';

/** Heartbeats looked back for what not each of them tells. */
const LOOK_BACK = 8;
const NAMES: ReadonlySet<string> = new Set([
  'system.filesystem.usage',
  'scout.filesystem.inodes',
  'scout.filesystem.readonly',
  'scout.filesystem.stale',
  'process.cpu.time',
  'process.memory.usage',
]);

/** A file system as the latest heartbeat told of it; sizes in bytes. */
export interface FileSystem {
  mount: string;
  device: string;
  type: string;
  used: number;
  size: number;
  /** Of what people may use, in percent, as df reckons. */
  share: number;
  /** Of the inodes, in percent; null where there are none. */
  inodes: number | null;
  note: 'read-only' | 'stale' | null;
}

/** A process that was among the busiest or the largest; `cpu` in percent of one core, `memory` in bytes. */
export interface Process {
  pid: string;
  name: string;
  cpu: number | null;
  memory: number | null;
}

/** What the latest heartbeats of a server told that tables show. */
export interface Snapshot {
  fileSystems: FileSystem[];
  processes: Process[];
}

/** Reads the latest heartbeats before a time (ms). `interval` in seconds. */
export async function snapshotOf(
  store: Pick<Store, 'recent' | 'rollups'>,
  serverId: string,
  last: number,
  interval: number,
): Promise<Snapshot> {
  const [from, to] = [last - LOOK_BACK * interval * 1_000, last + 1];
  const { readings, step } = await readRange(store, serverId, { from, to, interval, names: NAMES });
  return { fileSystems: fileSystemsOf(readings, step), processes: processesOf(readings, step) };
}

const text = (attributes: Attributes, name: string): string => String(attributes[name] ?? '');
const mountOf = (row: Attributes) => text(row, 'system.filesystem.mountpoint');

/** The newest number of each line that has one in the newest reading of its metric. */
function newest({ lines }: Lines): Map<string, number> {
  const found = new Map<string, number>();
  for (const [label, values] of lines) {
    const value = values.findLast((one) => one !== null);
    if (value !== null && value !== undefined) found.set(label, value);
  }
  return found;
}

/** The last reading that tells of a metric, alone. */
const lastWith = (readings: Reading[], name: string): Reading[] => readings.filter((one) => one.metrics.has(name)).slice(-1);

function fileSystemsOf(readings: Reading[], step: number): FileSystem[] {
  const last = lastWith(readings, 'system.filesystem.usage');
  const facts = new Map<string, { device: string; type: string }>();
  const of = (state: string) =>
    newest(
      valuesOf(
        last,
        'system.filesystem.usage',
        (row) => {
          facts.set(mountOf(row), { device: text(row, 'system.device'), type: text(row, 'system.filesystem.type') });
          return text(row, 'system.filesystem.state') === state ? mountOf(row) : undefined;
        },
        step,
      ),
    );
  const [used, free, reserved] = [of('used'), of('free'), of('reserved')];
  const inodes = (state: string) =>
    newest(
      valuesOf(last, 'scout.filesystem.inodes', (row) => (text(row, 'system.filesystem.state') === state ? mountOf(row) : undefined), step),
    );
  const [inodesUsed, inodesFree] = [inodes('used'), inodes('free')];
  const flag = (name: string) => newest(valuesOf(lastWith(readings, name), name, mountOf, step));
  const [readonly, stale] = [flag('scout.filesystem.readonly'), flag('scout.filesystem.stale')];
  const share = (part = 0, rest = 0) => (part + rest > 0 ? (100 * part) / (part + rest) : 0);
  return [...facts]
    .map(([mount, fact]): FileSystem => {
      const [u = 0, f = 0, r = 0] = [used.get(mount), free.get(mount), reserved.get(mount)];
      const note = stale.get(mount) ? 'stale' : readonly.get(mount) ? 'read-only' : null;
      const counted = inodesUsed.has(mount) ? share(inodesUsed.get(mount), inodesFree.get(mount)) : null;
      return { mount, ...fact, used: u, size: u + f + r, share: share(u, f), inodes: counted, note };
    })
    .sort((a, b) => b.share - a.share || (a.mount < b.mount ? -1 : 1));
}

function processesOf(readings: Reading[], step: number): Process[] {
  const names = new Map<string, string>();
  const pidOf = (row: Attributes) => {
    const pid = text(row, 'process.pid');
    names.set(pid, text(row, 'process.executable.name'));
    return pid;
  };
  const rated = readings.filter((one) => one.metrics.has('process.cpu.time')).slice(-2);
  const cpu = rated.length === 2 ? newest(ratesOf(rated, 'process.cpu.time', pidOf, step)) : new Map<string, number>();
  const memory = newest(valuesOf(lastWith(readings, 'process.memory.usage'), 'process.memory.usage', pidOf, step));
  return [...new Set([...cpu.keys(), ...memory.keys()])]
    .map((pid): Process => {
      const rate = cpu.get(pid);
      return { pid, name: names.get(pid) ?? '', cpu: rate === undefined ? null : 100 * rate, memory: memory.get(pid) ?? null };
    })
    .sort((a, b) => (b.cpu ?? 0) - (a.cpu ?? 0) || (b.memory ?? 0) - (a.memory ?? 0));
}
