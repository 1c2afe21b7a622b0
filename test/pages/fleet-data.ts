import { randomUUID } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import type { Hub } from '../../src/hub/hub.ts';
import { addServer, hashKey } from '../../src/hub/servers.ts';
import type { Incoming } from '../../src/hub/store/store.ts';
import type { Heartbeat, Metric, Point } from '../../src/protocol/heartbeat.ts';

const GIB = 2 ** 30;

/** Numbers that repeat from run to run (mulberry32). */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A host that works: its counters grow from heartbeat to heartbeat as a machine's do. */
export class FakeHost {
  readonly name: string;
  readonly instance: string = randomUUID();
  readonly interval: number;
  #random: () => number;
  #sequence = 0;
  #boot = 0;
  #counters = new Map<string, number>();

  constructor(name: string, interval = 10, seed = 1) {
    this.name = name;
    this.interval = interval;
    this.#random = dice(seed);
  }

  /** All counters begin again at zero, as after a boot. */
  reboot(time: number): void {
    this.#counters.clear();
    this.#boot = time / 1_000 - 12;
  }

  beat(time: number): Heartbeat {
    if (this.#boot === 0) this.#boot = time / 1_000 - 86_400;
    this.#sequence++;
    const inventory = this.#sequence === 1 ? { inventory: INVENTORY } : {};
    return {
      v: 1,
      instance: this.instance,
      sequence: this.#sequence,
      time,
      interval: this.interval,
      agent: { version: '0.1.0' },
      host: { name: this.name, boot_time: this.#boot },
      ...inventory,
      metrics: this.#metrics(time),
    };
  }

  #grow(key: string, by: number): number {
    const value = (this.#counters.get(key) ?? 0) + Math.max(0, by);
    this.#counters.set(key, value);
    return Math.round(value * 100) / 100;
  }

  #metrics(time: number): Metric[] {
    const { interval } = this;
    const r = this.#random;
    const wave = 0.5 + 0.5 * Math.sin(time / 900_000);
    const busy = 0.15 + 0.5 * wave * r();
    const cpu = ([0, 1] as const).flatMap((core) =>
      Object.entries({
        user: busy * 0.6,
        system: busy * 0.25,
        iowait: busy * 0.1,
        softirq: busy * 0.05,
        nice: 0,
        interrupt: 0,
        steal: 0,
        idle: 1 - busy,
      }).map(([mode, part]): Point => [mode, core, this.#grow(`cpu${core}${mode}`, part * interval)]),
    );
    const used = (3 + 2 * wave + 0.2 * r()) * GIB;
    const cached = (5 - wave) * GIB;
    const pressure = (['cpu', 'memory', 'io'] as const).flatMap((resource, i) =>
      (['some', 'full'] as const).map(
        (kind, j): Point => [resource, kind, this.#grow(`${resource}${kind}`, (interval * busy * r()) / (6 * (i + 1) * (j + 1)))],
      ),
    );
    const both = (device: string, a: string, b: string, rate: number): Point[] => [
      [device, a, Math.round(this.#grow(device + a, rate * r() * interval))],
      [device, b, Math.round(this.#grow(device + b, rate * 0.4 * r() * interval))],
    ];
    const mount = (device: string, path: string, type: string, size: number, part: number): Point[] => [
      [device, path, type, 'rw', 'used', Math.round(size * part)],
      [device, path, type, 'rw', 'free', Math.round(size * (1 - part))],
      [device, path, type, 'rw', 'reserved', 0],
    ];
    const full = ((time / 3_600_000) % 24) / 40;
    return [
      { name: 'system.cpu.time', unit: 's', type: 'counter', attributes: ['cpu.mode', 'cpu.logical_number'], points: cpu },
      {
        name: 'scout.load',
        unit: '{thread}',
        type: 'gauge',
        attributes: ['period'],
        points: [
          ['1m', 2 * busy],
          ['5m', 1.2 * wave + 0.2],
          ['15m', wave],
        ],
      },
      {
        name: 'system.memory.usage',
        unit: 'By',
        type: 'updowncounter',
        attributes: ['system.memory.state'],
        points: [
          ['used', Math.round(used)],
          ['free', Math.round(15.6 * GIB - used - cached - 0.4 * GIB)],
          ['cached', Math.round(cached)],
          ['buffers', 0.4 * GIB],
        ],
      },
      { name: 'scout.pressure.time', unit: 's', type: 'counter', attributes: ['resource', 'kind'], points: pressure },
      {
        name: 'system.disk.io',
        unit: 'By',
        type: 'counter',
        attributes: ['system.device', 'disk.io.direction'],
        points: [...both('nvme0n1', 'write', 'read', 6e6 * wave + 1e5), ...both('dm-0', 'write', 'read', 6e6)],
      },
      {
        name: 'system.network.io',
        unit: 'By',
        type: 'counter',
        attributes: ['network.interface.name', 'network.io.direction'],
        points: [...both('lo', 'receive', 'transmit', 1e6), ...both('eth0', 'receive', 'transmit', 2e6 * wave + 2e4)],
      },
      {
        name: 'system.filesystem.usage',
        unit: 'By',
        type: 'updowncounter',
        attributes: [
          'system.device',
          'system.filesystem.mountpoint',
          'system.filesystem.type',
          'system.filesystem.mode',
          'system.filesystem.state',
        ],
        points: [
          ...mount('/dev/nvme0n1p2', '/', 'ext4', 60 * GIB, 0.42),
          ...mount('/dev/nvme0n1p3', '/var/lib/postgresql', 'xfs', 400 * GIB, 0.3 + full),
          ...mount('/dev/nvme0n1p1', '/boot', 'ext4', GIB, 0.21),
        ],
      },
    ];
  }
}

const INVENTORY: NonNullable<Heartbeat['inventory']> = {
  'os.type': 'linux',
  'os.name': 'Debian GNU/Linux',
  'os.version': '12 (bookworm)',
  'os.kernel': '6.1.0-28-amd64',
  'host.arch': 'amd64',
  'host.cpu.model.name': 'AMD EPYC 7543P 32-Core Processor',
  'host.cpu.cores': 2,
  'host.memory.total': 15.6 * GIB,
  'host.virtualization': 'kvm',
  'host.id': 'b1946ac92492d2347c6235b4d2611184',
};

/** A heartbeat as the store takes it. */
export function incoming(beat: Heartbeat): Incoming {
  return {
    instance: beat.instance,
    sequence: beat.sequence,
    time: beat.time,
    interval: beat.interval,
    frame: zstdCompressSync(Buffer.from(`${JSON.stringify(beat)}\n`)),
    inventory: beat.inventory ? JSON.stringify(beat.inventory) : null,
    agentVersion: beat.agent.version,
    hostName: beat.host.name,
  };
}

export interface Past {
  /** From and until when it reported, in ms before now. */
  from: number;
  until?: number;
  interval?: number;
  seed?: number;
  hostName?: string;
  reboots?: number[];
  /** Sequence numbers that never arrived. */
  lost?: number[];
}

/** Registers a server and fills its past, as if its agent had reported. Returns its key. */
export async function fillServer(hub: Pick<Hub, 'store' | 'now'>, name: string, past?: Past): Promise<{ key: string; host: FakeHost }> {
  const { key: text } = await addServer({ ...hub, org: 'default' }, name, 'grace', 86_400_000);
  const host = new FakeHost(past?.hostName ?? name, past?.interval, past?.seed);
  if (!past) return { key: text, host };
  const found = await hub.store.findKey(hashKey(text));
  if (!found) throw new Error('the key was not kept');
  const now = hub.now();
  const reboots = [...(past.reboots ?? [])].sort((a, b) => b - a);
  const beats: Incoming[] = [];
  for (let ago = past.from; ago >= (past.until ?? 0); ago -= host.interval * 1_000) {
    while (reboots[0] !== undefined && ago <= reboots[0]) host.reboot(now - reboots.shift()!);
    const beat = host.beat(Math.round(now - ago));
    if (!past.lost?.includes(beat.sequence)) beats.push(incoming(beat));
  }
  for (let i = 0; i < beats.length; i += 500) {
    const batch = beats.slice(i, i + 500);
    await hub.store.accept(found.server, found.key, batch, batch.at(-1)!.time);
  }
  return { key: text, host };
}
