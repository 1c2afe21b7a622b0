import { describe, expect, it } from 'vitest';
import { PORTABLE } from '../../src/collectors/portable.ts';
import { Runner } from '../../src/collectors/runner.ts';
import { collectorsSchema } from '../../src/config/schema.ts';
import { metricSchema } from '../../src/protocol/heartbeat.ts';
import { realHost } from '../../src/support/host.ts';
import { collectorSettings } from '../helpers/fixture-host.ts';

/* They run on any system, this one too. */

const names = PORTABLE.map(({ name }) => name);
const settings = (changes: Record<string, unknown> = {}) =>
  collectorSettings({
    ...Object.fromEntries(Object.keys(collectorsSchema.shape).map((name) => [name, (names as string[]).includes(name)])),
    ...changes,
  });

describe('the portable collectors', () => {
  it('give the common metrics in the shape of the wire', async () => {
    const { metrics, statuses } = await new Runner(realHost(), settings(), PORTABLE).collect();
    expect(statuses.filter(({ state }) => state !== 'ok')).toEqual([]);
    for (const metric of metrics) {
      expect(metricSchema.safeParse(metric).success, metric.name).toBe(true);
      for (const point of metric.points) expect(point, metric.name).toHaveLength(metric.attributes.length + 1);
    }
    const expected = [
      'system.cpu.time',
      'scout.load',
      'system.memory.usage',
      'scout.paging.limit',
      'system.filesystem.usage',
      'system.network.io',
      'system.uptime',
    ];
    expect(metrics.map(({ name }) => name)).toEqual(expect.arrayContaining(expected));
  }, 30_000);

  it('have no load average on Windows', async () => {
    const host = { ...realHost(), platform: 'win32' as const };
    const { statuses } = await new Runner(host, settings({ memory: false, swap: false, filesystem: false, network: false })).collect();
    expect(statuses.find(({ name }) => name === 'load')).toMatchObject({ state: 'unsupported' });
  });
});
