import { parseVmstat } from '../procfs/vmstat.ts';
import { type CollectorDefinition, metric, rows } from './collector.ts';

const EVENTS = [
  'pgscan_kswapd',
  'pgscan_direct',
  'pgsteal_kswapd',
  'pgsteal_direct',
  'allocstall',
  'compact_stall',
  'thp_fault_alloc',
  'workingset_refault_anon',
  'workingset_refault_file',
];
/** Before 4.10 and 5.9 these were one counter, or one a zone. */
const PARTS: Record<string, string[]> = {
  allocstall: ['allocstall_dma', 'allocstall_dma32', 'allocstall_normal', 'allocstall_movable', 'allocstall_device'],
};
const WANTED = [
  ...EVENTS,
  ...Object.values(PARTS).flat(),
  'workingset_refault',
  'pgfault',
  'pgmajfault',
  'pswpin',
  'pswpout',
  'pgpgin',
  'pgpgout',
  'oom_kill',
];

export const vmstat: CollectorDefinition<'vmstat'> = {
  name: 'vmstat',
  summary: 'Paging, faults, reclaim and OOM kills.',
  create: (host, _settings, files) => ({
    collect() {
      const found = parseVmstat(files.text(`${host.proc}/vmstat`), WANTED);
      const { pgfault, pgmajfault = 0 } = found;
      if (pgfault === undefined) throw new Error('vmstat has no pgfault');
      const kibibytes = (value: number | undefined) => (value === undefined ? undefined : value * 1_024);
      for (const [whole, parts] of Object.entries(PARTS)) {
        for (const part of parts) {
          const value = found[part];
          if (value !== undefined) found[whole] = (found[whole] ?? 0) + value;
        }
      }
      found.workingset_refault_file ??= found.workingset_refault;
      return [
        metric(
          'system.paging.faults',
          '{fault}',
          'counter',
          ['system.paging.fault.type'],
          [
            ['major', pgmajfault],
            ['minor', pgfault - pgmajfault],
          ],
        ),
        metric(
          'system.paging.operations',
          '{operation}',
          'counter',
          ['system.paging.direction'],
          rows({ in: found.pswpin, out: found.pswpout }),
        ),
        metric(
          'scout.paging.io',
          'By',
          'counter',
          ['system.paging.direction'],
          rows({ in: kibibytes(found.pgpgin), out: kibibytes(found.pgpgout) }),
        ),
        // Since 4.13.
        ...(found.oom_kill === undefined ? [] : [metric('scout.oom_kills', '{process}', 'counter', [], [[found.oom_kill]])]),
        metric('scout.vmstat', '{event}', 'counter', ['event'], rows(Object.fromEntries(EVENTS.map((name) => [name, found[name]])))),
      ];
    },
  }),
};
