import { parseNumbers } from '../procfs/numbers.ts';
import { type CollectorDefinition, metric } from './collector.ts';

export const entropy: CollectorDefinition<'entropy'> = {
  name: 'entropy',
  summary: 'Entropy available to the kernel.',
  create: (host, _settings, files) => ({
    collect() {
      const folder = `${host.proc}/sys/kernel/random`;
      const [available] = parseNumbers(files.text(`${folder}/entropy_avail`));
      const [limit] = parseNumbers(files.text(`${folder}/poolsize`));
      if (available === undefined || limit === undefined) throw new Error('entropy_avail has an unknown form');
      return [
        metric('scout.entropy.available', 'bit', 'gauge', [], [[available]]),
        metric('scout.entropy.limit', 'bit', 'gauge', [], [[limit]]),
      ];
    },
  }),
};
