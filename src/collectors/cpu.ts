import { type CpuTimes, parseCpuStat, TICKS } from '../procfs/stat.ts';
import type { Metric, Point } from '../protocol/heartbeat.ts';
import { type CollectorDefinition, metric } from './collector.ts';

export const cpu: CollectorDefinition<'cpu'> = {
  name: 'cpu',
  summary: 'Processor time by mode, a core each or all together.',
  create: (host, settings, files) => ({
    collect() {
      const { total, cores } = parseCpuStat(files.text(`${host.proc}/stat`));
      if (!total) throw new Error('stat has no line `cpu`');
      const metrics: Metric[] = [];
      if (settings.per_core) {
        const points: Point[] = [];
        for (const core of cores) addModes(points, core.times, core.number);
        metrics.push(metric('system.cpu.time', 's', 'counter', ['cpu.mode', 'cpu.logical_number'], points));
      } else {
        const points: Point[] = [];
        addModes(points, total);
        metrics.push(metric('system.cpu.time', 's', 'counter', ['cpu.mode'], points));
      }
      metrics.push(metric('system.cpu.logical.count', '{cpu}', 'updowncounter', [], [[cores.length]]));
      // Guests' time is within user and nice already; hosts without guests need no series of zeros.
      if (total.guest + total.guestNice > 0) {
        const points: Point[] = [
          ['user', total.guest / TICKS],
          ['nice', total.guestNice / TICKS],
        ];
        metrics.push(metric('scout.cpu.guest.time', 's', 'counter', ['cpu.mode'], points));
      }
      return metrics;
    },
  }),
};

function addModes(points: Point[], times: CpuTimes, core?: number): void {
  const add = (mode: string, ticks: number) => points.push(core === undefined ? [mode, ticks / TICKS] : [mode, core, ticks / TICKS]);
  add('user', times.user);
  add('nice', times.nice);
  add('system', times.system);
  add('idle', times.idle);
  add('iowait', times.iowait);
  add('interrupt', times.irq);
  add('softirq', times.softirq);
  add('steal', times.steal);
}
