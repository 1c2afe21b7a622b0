import { parseSwaps } from '../procfs/swaps.ts';
import type { Point } from '../protocol/heartbeat.ts';
import { type CollectorDefinition, metric } from './collector.ts';

export const swap: CollectorDefinition<'swap'> = {
  name: 'swap',
  summary: 'Swap space, an area each.',
  create: (host, _settings, files) => ({
    collect() {
      const areas = parseSwaps(files.text(`${host.proc}/swaps`));
      const points: Point[] = [];
      for (const { device, size, used } of areas) points.push([device, 'used', used], [device, 'free', size - used]);
      const limit = areas.reduce((sum, area) => sum + area.size, 0);
      return [
        ...(points.length > 0
          ? [metric('system.paging.usage', 'By', 'updowncounter', ['system.device', 'system.paging.state'], points)]
          : []),
        metric('scout.paging.limit', 'By', 'updowncounter', [], [[limit]]),
      ];
    },
  }),
};
