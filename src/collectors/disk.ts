import { type Diskstats, parseDiskstats } from '../procfs/diskstats.ts';
import type { Point } from '../protocol/heartbeat.ts';
import { type CollectorDefinition, metric } from './collector.ts';
import { matcher } from './files.ts';

const SECTOR = 512;
/** Partitions count again what their disk counts; loop and RAM devices, what lies beneath or nothing; removable ones seldom work. */
const LEFT_OUT = /^(?:(?:[hsv]|xv)d[a-z]+\d+|(?:nvme\d+n\d+|mmcblk\d+|nbd\d+|md\d+)p\d+|mmcblk\d+boot\d+|(?:loop|ram|fd|sr)\d+.*)$/;
/** Some stand there without ever having done anything (zram, nbd). */
const used = (disk: Diskstats): boolean => disk.reads + disk.writes + disk.ioTime > 0;

export const disk: CollectorDefinition<'disk'> = {
  name: 'disk',
  summary: 'Operations, bytes and times of block devices.',
  create(host, settings, files) {
    const excluded = matcher(settings.exclude);
    return {
      collect() {
        const io: Point[] = [];
        const operations: Point[] = [];
        const times: Point[] = [];
        const merged: Point[] = [];
        const busy: Point[] = [];
        const weighted: Point[] = [];
        const inFlight: Point[] = [];
        for (const found of parseDiskstats(files.text(`${host.proc}/diskstats`))) {
          const { device, discard, flush } = found;
          if (LEFT_OUT.test(device) || !used(found) || excluded(device)) continue;
          io.push([device, 'read', found.readSectors * SECTOR], [device, 'write', found.writtenSectors * SECTOR]);
          operations.push([device, 'read', found.reads], [device, 'write', found.writes]);
          times.push([device, 'read', found.readTime / 1_000], [device, 'write', found.writeTime / 1_000]);
          merged.push([device, 'read', found.readsMerged], [device, 'write', found.writesMerged]);
          if (discard && discard.operations > 0) {
            io.push([device, 'discard', discard.sectors * SECTOR]);
            operations.push([device, 'discard', discard.operations]);
            times.push([device, 'discard', discard.time / 1_000]);
          }
          if (flush && flush.operations > 0) {
            operations.push([device, 'flush', flush.operations]);
            times.push([device, 'flush', flush.time / 1_000]);
          }
          busy.push([device, found.ioTime / 1_000]);
          weighted.push([device, found.weightedTime / 1_000]);
          inFlight.push([device, found.inFlight]);
        }
        if (busy.length === 0) return [];
        const directed = ['system.device', 'disk.io.direction'];
        return [
          metric('system.disk.io', 'By', 'counter', directed, io),
          metric('system.disk.operations', '{operation}', 'counter', directed, operations),
          metric('system.disk.operation_time', 's', 'counter', directed, times),
          metric('system.disk.merged', '{operation}', 'counter', directed, merged),
          metric('system.disk.io_time', 's', 'counter', ['system.device'], busy),
          metric('scout.disk.weighted_io_time', 's', 'counter', ['system.device'], weighted),
          metric('scout.disk.in_flight', '{operation}', 'gauge', ['system.device'], inFlight),
        ];
      },
    };
  },
};
