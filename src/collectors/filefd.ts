import { parseNumbers } from '../procfs/numbers.ts';
import { type CollectorDefinition, metric } from './collector.ts';

export const filefd: CollectorDefinition<'filefd'> = {
  name: 'filefd',
  summary: 'Open file descriptors of the whole system.',
  create: (host, _settings, files) => ({
    collect() {
      // proc_sys_fs(5), file-nr: allocated, free (0 since 2.6), limit.
      const [allocated, , limit] = parseNumbers(files.text(`${host.proc}/sys/fs/file-nr`));
      if (allocated === undefined || limit === undefined) throw new Error('file-nr has an unknown form');
      const count = metric('scout.file_descriptor.count', '{file_descriptor}', 'updowncounter', [], [[allocated]]);
      // systemd sets the limit to the largest integer of 64 bits, which is to say there is none.
      if (limit > Number.MAX_SAFE_INTEGER) return [count];
      return [count, metric('scout.file_descriptor.limit', '{file_descriptor}', 'updowncounter', [], [[limit]])];
    },
  }),
};
