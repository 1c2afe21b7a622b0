import { parseLoadavg } from '../procfs/loadavg.ts';
import type { Metric } from '../protocol/heartbeat.ts';
import type { CollectorDefinition } from './collector.ts';
import { metric } from './collector.ts';

export const load: CollectorDefinition<'load'> = {
  name: 'load',
  summary: 'Load averages, and how many threads could run.',
  create: (host, _settings, files) => ({
    collect() {
      const found = parseLoadavg(files.text(`${host.proc}/loadavg`));
      if (!found) throw new Error('loadavg has an unknown form');
      return [
        loadAverages([found.one, found.five, found.fifteen]),
        metric(
          'scout.threads',
          '{thread}',
          'updowncounter',
          ['state'],
          [
            ['runnable', found.runnable],
            ['total', found.threads],
          ],
        ),
      ];
    },
  }),
};

const PERIODS = ['1m', '5m', '15m'];

/** Load averages over 1, 5 and 15 minutes, as a metric. */
export function loadAverages(values: number[]): Metric {
  return metric(
    'scout.load',
    '{thread}',
    'gauge',
    ['period'],
    values.map((value, at) => [PERIODS[at] as string, value]),
  );
}
