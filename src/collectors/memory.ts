import { type Meminfo, parseMeminfo } from '../procfs/meminfo.ts';
import type { Metric } from '../protocol/heartbeat.ts';
import { type CollectorDefinition, metric, rows } from './collector.ts';

export const memory: CollectorDefinition<'memory'> = {
  name: 'memory',
  summary: 'Memory by use, with slab and huge pages.',
  create: (host, _settings, files) => ({
    collect() {
      const info = parseMeminfo(files.text(`${host.proc}/meminfo`));
      const { MemTotal: total, MemFree: free } = info;
      if (total === undefined || free === undefined) throw new Error('meminfo has no MemTotal or MemFree');
      const { Cached: cached = 0, Buffers: buffers = 0, MemAvailable: available } = info;
      // Kernels before 3.14 do not estimate what is available.
      const used = total - (available ?? free + cached + buffers);
      const bytes = (name: string, attributes: string[], points: ReturnType<typeof rows>) =>
        metric(name, 'By', 'updowncounter', attributes, points);
      return [
        bytes('system.memory.usage', ['system.memory.state'], rows({ used, free, cached, buffers })),
        bytes('system.memory.limit', [], [[total]]),
        ...(available === undefined ? [] : [bytes('system.memory.linux.available', [], [[available]])]),
        ...(info.Shmem === undefined ? [] : [bytes('system.memory.linux.shared', [], [[info.Shmem]])]),
        bytes(
          'system.memory.linux.slab.usage',
          ['system.memory.linux.slab.state'],
          rows({ reclaimable: info.SReclaimable, unreclaimable: info.SUnreclaim }),
        ),
        ...hugePages(info),
        bytes('scout.memory.detail', ['kind'], rows(detail(info))),
      ];
    },
  }),
};

/** Nothing but the limit where there are none, as on most hosts. */
function hugePages(info: Meminfo): Metric[] {
  const { HugePages_Total: limit, HugePages_Free: free = 0, HugePages_Rsvd: reserved = 0, HugePages_Surp: surplus = 0 } = info;
  if (limit === undefined) return [];
  const pages = (name: string, value: number) => metric(`system.memory.linux.hugepages.${name}`, '{page}', 'updowncounter', [], [[value]]);
  if (limit === 0) return [pages('limit', limit)];
  return [
    pages('limit', limit),
    pages('reserved', reserved),
    pages('surplus', surplus),
    metric(
      'system.memory.linux.hugepages.usage',
      '{page}',
      'updowncounter',
      ['system.memory.linux.hugepages.state'],
      [
        ['used', limit - free],
        ['free', free],
      ],
    ),
    metric('system.memory.linux.hugepages.page_size', 'By', 'updowncounter', [], [[info.Hugepagesize ?? 0]]),
  ];
}

const detail = (info: Meminfo): Record<string, number | undefined> => ({
  active: info.Active,
  inactive: info.Inactive,
  anonymous: info.AnonPages,
  anonymous_huge: info.AnonHugePages,
  mapped: info.Mapped,
  mlocked: info.Mlocked,
  dirty: info.Dirty,
  writeback: info.Writeback,
  kernel_stack: info.KernelStack,
  page_tables: info.PageTables,
  percpu: info.Percpu,
  vmalloc: info.VmallocUsed,
  hardware_corrupted: info.HardwareCorrupted,
  committed: info.Committed_AS,
  commit_limit: info.CommitLimit,
});
