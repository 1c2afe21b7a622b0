import { describe, expect, it } from 'vitest';
import { type CollectorDefinition, metric } from '../../src/collectors/collector.ts';
import { filesystem } from '../../src/collectors/filesystem.ts';
import { processes } from '../../src/collectors/processes.ts';
import { Runner } from '../../src/collectors/runner.ts';
import { collectorsSchema } from '../../src/config/schema.ts';
import { collectorSettings, fixtureFiles, fixtureHost } from '../helpers/fixture-host.ts';

const only = (name: string) => collectorSettings(Object.fromEntries(Object.keys(collectorsSchema.shape).map((one) => [one, one === name])));
const refusal = (code: string, path?: string) =>
  Object.assign(new Error(`${code}: refused`), { code, ...(path !== undefined && { path }) });

describe('what a user may not read', () => {
  it.each(['EACCES', 'EPERM'])('is denied (%s), with its path, and counts as no success', async (code) => {
    const definition: CollectorDefinition = {
      name: 'load',
      summary: '',
      create: () => ({
        collect() {
          throw refusal(code, '/proc/loadavg');
        },
      }),
    };
    const { metrics, statuses } = await new Runner(fixtureHost('rhel-8'), only('load'), [definition]).collect();
    expect(statuses).toMatchObject([{ state: 'denied', path: '/proc/loadavg', detail: `${code}: refused` }]);
    expect(metrics.find(({ name }) => name === 'scout.collector.success')?.points).toEqual([['load', 0]]);
  });

  it('is named where the rest was collected', async () => {
    const definition: CollectorDefinition = {
      name: 'load',
      summary: '',
      create: () => ({ collect: () => [metric('scout.load', '{thread}', 'gauge', [], [[1]])], denied: () => ['/mnt/home'] }),
    };
    const { statuses } = await new Runner(fixtureHost('rhel-8'), only('load'), [definition]).collect();
    expect(statuses).toMatchObject([{ state: 'ok', denied: ['/mnt/home'] }]);
  });

  it('is a mount point that may not be entered', async () => {
    const files = fixtureFiles({
      now: (path) => {
        if (path.endsWith('/boot')) throw refusal('EACCES', path);
        return { bsize: 1, blocks: 2, bfree: 1, bavail: 1, files: 0, ffree: 0 };
      },
    });
    const { statuses } = await new Runner(fixtureHost('rhel-8'), only('filesystem'), [filesystem], files).collect();
    expect(statuses).toMatchObject([{ state: 'ok', denied: ['/boot'] }]);
  });

  it('is every process of others under hidepid=', async () => {
    const seen = await new Runner(fixtureHost('rhel-8'), only('processes'), [processes], fixtureFiles()).collect();
    expect(seen.statuses[0]).not.toHaveProperty('denied');
    const files = fixtureFiles();
    const brief = files.brief.bind(files);
    files.brief = (path, keep) => (path.endsWith('/1/stat') ? undefined : brief(path, keep));
    const hidden = await new Runner(fixtureHost('rhel-8'), only('processes'), [processes], files).collect();
    expect(hidden.statuses).toMatchObject([{ state: 'ok', denied: ['the processes of other users'] }]);
  });

  it('has its path also where only reading it is refused', async () => {
    // A folder opens, and does not read.
    const files = fixtureFiles();
    expect(() => files.text('/proc/self')).toThrowError(expect.objectContaining({ code: 'EISDIR', path: '/proc/self' }));
    files.close();
  });
});
