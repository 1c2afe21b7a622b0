import { describe, expect, it } from 'vitest';
import { type CollectorDefinition, metric } from '../../src/collectors/collector.ts';
import { PORTABLE } from '../../src/collectors/portable.ts';
import { COLLECTORS, definitionsFor } from '../../src/collectors/registry.ts';
import { Runner } from '../../src/collectors/runner.ts';
import { collectorsSchema } from '../../src/config/schema.ts';
import { collectorSettings, fixtureFiles, fixtureHost } from '../helpers/fixture-host.ts';

const only = (...names: string[]) =>
  collectorSettings(Object.fromEntries(Object.keys(collectorsSchema.shape).map((name) => [name, names.includes(name)])));

const one = (name: CollectorDefinition['name'], collect: () => never | ReturnType<typeof metric>[]): CollectorDefinition => ({
  name,
  summary: '',
  create: () => ({ collect }),
});
const good = one('load', () => [metric('scout.load', '{thread}', 'gauge', [], [[1]])]);

describe('the registry', () => {
  it('has the collectors of the schema in its order; the inventory is not periodic', () => {
    expect([...COLLECTORS.map(({ name }) => name), 'inventory']).toEqual(Object.keys(collectorsSchema.shape));
  });

  it('gives the portable ones where there is no /proc', () => {
    expect(definitionsFor(fixtureHost('rhel-8', { platform: 'darwin' }))).toBe(PORTABLE);
  });
});

describe('Runner', () => {
  it('runs what is switched on and nothing else', async () => {
    const runner = new Runner(fixtureHost('rhel-8'), only('load', 'filefd'), COLLECTORS, fixtureFiles());
    const { statuses } = await runner.collect();
    expect(statuses.map(({ name }) => name)).toEqual(['load', 'filefd']);
    runner.apply(only('entropy'));
    expect((await runner.collect()).statuses.map(({ name }) => name)).toEqual(['entropy']);
    runner.close();
  });

  it('keeps a failure to the collector it happened in', async () => {
    const bad = one('cpu', () => {
      throw new Error('no such luck');
    });
    const { metrics, statuses } = await new Runner(fixtureHost('rhel-8'), only('cpu', 'load'), [bad, good]).collect();
    expect(statuses).toMatchObject([
      { name: 'cpu', state: 'failed', detail: 'no such luck' },
      { name: 'load', state: 'ok' },
    ]);
    expect(metrics.find(({ name }) => name === 'scout.load')?.points).toEqual([[1]]);
    expect(metrics.find(({ name }) => name === 'scout.collector.success')?.points).toEqual([
      ['cpu', 0],
      ['load', 1],
    ]);
  });

  it('times each by the monotonic clock', async () => {
    let now = 0;
    const host = fixtureHost('rhel-8', { monotonic: () => now });
    const slow = one('load', () => {
      now += 250;
      return [];
    });
    const { metrics, statuses } = await new Runner(host, only('load'), [slow]).collect();
    expect(statuses[0]?.duration).toBe(0.25);
    expect(metrics.find(({ name }) => name === 'scout.collector.duration')?.points).toEqual([['load', 0.25]]);
  });

  it('calls what a kernel lacks unsupported, which is no failure and gives no series', async () => {
    const { metrics, statuses } = await new Runner(fixtureHost('linux-3.10'), only('pressure', 'conntrack')).collect();
    expect(statuses.map(({ state }) => state)).toEqual(['unsupported', 'unsupported']);
    expect(metrics.flatMap(({ points }) => points)).toEqual([]);
  });

  it('names as unsupported what another system cannot have', async () => {
    const host = fixtureHost('rhel-8', { platform: 'darwin' });
    const { statuses } = await new Runner(host, only('system', 'pressure')).collect();
    expect(statuses).toMatchObject([
      { name: 'pressure', state: 'unsupported', detail: 'not on darwin' },
      { name: 'system', state: 'ok' },
    ]);
  });

  it('tells where the metrics of each collector begin', async () => {
    const { metrics, starts } = await new Runner(fixtureHost('rhel-8'), only('load', 'filefd'), COLLECTORS, fixtureFiles()).collect();
    expect(starts.map((start) => metrics[start]?.name)).toEqual(['scout.load', 'scout.file_descriptor.count', 'scout.collector.success']);
  });
});
