import { parseNumbers } from '../procfs/numbers.ts';
import { type CollectorDefinition, metric } from './collector.ts';

export const conntrack: CollectorDefinition<'conntrack'> = {
  name: 'conntrack',
  summary: 'How full the connection tracking table is.',
  create: (host, _settings, files) => ({
    collect() {
      const folder = `${host.proc}/sys/net/netfilter`;
      const [count] = parseNumbers(files.text(`${folder}/nf_conntrack_count`));
      const [limit] = parseNumbers(files.text(`${folder}/nf_conntrack_max`));
      if (count === undefined || limit === undefined) throw new Error('nf_conntrack_count has an unknown form');
      return [
        metric('scout.conntrack.count', '{connection}', 'updowncounter', [], [[count]]),
        metric('scout.conntrack.limit', '{connection}', 'updowncounter', [], [[limit]]),
      ];
    },
  }),
};
