import os from 'node:os';
import type { Point } from '../protocol/heartbeat.ts';
import { type CollectorDefinition, metric, round } from './collector.ts';
import { matcher, Unsupported } from './files.ts';
import { loadAverages } from './load.ts';

/** systeminformation stays out of memory, and out of hosts with a /proc, until a collector here asks. */
const facts = async () => (await import('systeminformation')).default;

const cpu: CollectorDefinition<'cpu'> = {
  name: 'cpu',
  summary: 'Processor time by mode.',
  create: (_host, settings) => ({
    collect() {
      const cores = os.cpus().map((core) => core.times);
      const modes = { user: 'user', nice: 'nice', system: 'sys', idle: 'idle', interrupt: 'irq' } as const;
      const points: Point[] = [];
      for (const [mode, column] of Object.entries(modes)) {
        const seconds = (times: (typeof cores)[number]) => times[column as 'user'] / 1_000;
        if (settings.per_core) for (const [number, times] of cores.entries()) points.push([mode, number, round(seconds(times), 2)]);
        else
          points.push([
            mode,
            round(
              cores.reduce((sum, times) => sum + seconds(times), 0),
              2,
            ),
          ]);
      }
      return [
        metric('system.cpu.time', 's', 'counter', settings.per_core ? ['cpu.mode', 'cpu.logical_number'] : ['cpu.mode'], points),
        metric('system.cpu.logical.count', '{cpu}', 'updowncounter', [], [[cores.length]]),
      ];
    },
  }),
};

const load: CollectorDefinition<'load'> = {
  name: 'load',
  summary: 'Load averages.',
  create: (host) => ({
    collect() {
      if (host.platform === 'win32') throw new Unsupported('Windows has no load average');
      return [loadAverages(os.loadavg().map((value) => round(value, 2)))];
    },
  }),
};

const memory: CollectorDefinition<'memory'> = {
  name: 'memory',
  summary: 'Memory by use.',
  create: () => ({
    async collect() {
      const { total, free, available, buffers, cached } = await (await facts()).mem();
      const points: Point[] = [
        ['used', total - available],
        ['free', free],
      ];
      if (cached > 0) points.push(['cached', cached]);
      if (buffers > 0) points.push(['buffers', buffers]);
      return [
        metric('system.memory.usage', 'By', 'updowncounter', ['system.memory.state'], points),
        metric('system.memory.limit', 'By', 'updowncounter', [], [[total]]),
      ];
    },
  }),
};

const swap: CollectorDefinition<'swap'> = {
  name: 'swap',
  summary: 'Swap space.',
  create: () => ({
    async collect() {
      const { swaptotal, swapused, swapfree } = await (await facts()).mem();
      const limit = metric('scout.paging.limit', 'By', 'updowncounter', [], [[swaptotal]]);
      if (swaptotal === 0) return [limit];
      const points: Point[] = [
        ['used', swapused],
        ['free', swapfree],
      ];
      return [metric('system.paging.usage', 'By', 'updowncounter', ['system.paging.state'], points), limit];
    },
  }),
};

const filesystem: CollectorDefinition<'filesystem'> = {
  name: 'filesystem',
  summary: 'Space of mounted file systems.',
  create(_host, settings) {
    const typeExcluded = matcher(settings.exclude_types);
    const mountExcluded = matcher(settings.exclude_mounts);
    return {
      async collect() {
        const points: Point[] = [];
        for (const { fs, type, mount, rw, used, available } of await (await facts()).fsSize()) {
          if (typeExcluded(type) || mountExcluded(mount)) continue;
          const labels = [fs, mount, type, rw === false ? 'ro' : 'rw'];
          points.push([...labels, 'used', used], [...labels, 'free', available]);
        }
        const attributes = ['device', 'filesystem.mountpoint', 'filesystem.type', 'filesystem.mode', 'filesystem.state'];
        return [
          metric(
            'system.filesystem.usage',
            'By',
            'updowncounter',
            attributes.map((name) => `system.${name}`),
            points,
          ),
        ];
      },
    };
  },
};

const network: CollectorDefinition<'network'> = {
  name: 'network',
  summary: 'Traffic and errors of network interfaces.',
  create(_host, settings) {
    const excluded = matcher(settings.exclude);
    return {
      async collect() {
        const found = (await (await facts()).networkStats('*')).filter(({ iface }) => !excluded(iface));
        const both = (receive: 'rx_bytes' | 'rx_dropped' | 'rx_errors', transmit: 'tx_bytes' | 'tx_dropped' | 'tx_errors'): Point[] =>
          found.flatMap((one): Point[] => [
            [one.iface, 'receive', one[receive] ?? 0],
            [one.iface, 'transmit', one[transmit] ?? 0],
          ]);
        const named = ['network.interface.name', 'network.io.direction'];
        return [
          metric('system.network.io', 'By', 'counter', named, both('rx_bytes', 'tx_bytes')),
          metric('system.network.packet.dropped', '{packet}', 'counter', named, both('rx_dropped', 'tx_dropped')),
          metric('system.network.errors', '{error}', 'counter', named, both('rx_errors', 'tx_errors')),
        ];
      },
    };
  },
};

const system: CollectorDefinition<'system'> = {
  name: 'system',
  summary: 'Uptime.',
  create: () => ({
    collect: () => [metric('system.uptime', 's', 'gauge', [], [[round(os.uptime(), 2)]])],
  }),
};

/** The collectors of hosts without a /proc, from Node itself and, where that has nothing, systeminformation. */
export const PORTABLE: readonly CollectorDefinition[] = [cpu, load, memory, swap, filesystem, network, system];
