import { parseStat, SOFTIRQS } from '../procfs/stat.ts';
import { parseUptime } from '../procfs/uptime.ts';
import type { Metric, Point } from '../protocol/heartbeat.ts';
import { type CollectorDefinition, metric } from './collector.ts';

export const system: CollectorDefinition<'system'> = {
  name: 'system',
  summary: 'Uptime, boot time, context switches, interrupts.',
  create: (host, _settings, files) => ({
    collect() {
      const stat = parseStat(files.text(`${host.proc}/stat`));
      const uptime = parseUptime(files.text(`${host.proc}/uptime`));
      const metrics: Metric[] = [];
      const add = (name: string, unit: string, type: Metric['type'], value: number | undefined) => {
        if (value !== undefined) metrics.push(metric(name, unit, type, [], [[value]]));
      };
      add('system.uptime', 's', 'gauge', uptime);
      add('scout.boot_time', 's', 'gauge', stat.bootTime);
      add('scout.context_switches', '{context_switch}', 'counter', stat.contextSwitches);
      add('scout.interrupts', '{interrupt}', 'counter', stat.interrupts);
      const softirqs: Point[] = [];
      SOFTIRQS.forEach((kind, index) => {
        const value = stat.softirqs[index];
        if (value !== undefined) softirqs.push([kind, value]);
      });
      if (softirqs.length > 0) metrics.push(metric('scout.softirqs', '{interrupt}', 'counter', ['kind'], softirqs));
      return metrics;
    },
  }),
};
