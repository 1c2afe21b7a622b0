import { parsePressure } from '../procfs/pressure.ts';
import type { Point } from '../protocol/heartbeat.ts';
import { type CollectorDefinition, metric, round } from './collector.ts';

export const pressure: CollectorDefinition<'pressure'> = {
  name: 'pressure',
  summary: 'Pressure stall information: how long tasks waited for cpu, memory and io.',
  create: (host, _settings, files) => ({
    collect() {
      const times: Point[] = [];
      const shares: Point[] = [];
      const add = (resource: string, text: string) => {
        for (const { kind, total, avg10, avg60, avg300 } of parsePressure(text)) {
          times.push([resource, kind, round(total, 3)]);
          shares.push([resource, kind, '10s', avg10], [resource, kind, '60s', avg60], [resource, kind, '300s', avg300]);
        }
      };
      for (const resource of ['cpu', 'memory', 'io']) add(resource, files.text(`${host.proc}/pressure/${resource}`));
      const irq = files.optional(`${host.proc}/pressure/irq`);
      if (irq !== undefined) add('irq', irq);
      return [
        metric('scout.pressure.time', 's', 'counter', ['resource', 'kind'], times),
        metric('scout.pressure.ratio', '1', 'gauge', ['resource', 'kind', 'period'], shares),
      ];
    },
  }),
};
