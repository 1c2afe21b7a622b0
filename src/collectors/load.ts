import { parseLoadavg } from '../procfs/loadavg.ts';
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
        metric(
          'scout.load',
          '{thread}',
          'gauge',
          ['period'],
          [
            ['1m', found.one],
            ['5m', found.five],
            ['15m', found.fifteen],
          ],
        ),
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
