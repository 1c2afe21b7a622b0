import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COLLECTORS } from '../../src/collectors/registry.ts';
import { Runner } from '../../src/collectors/runner.ts';
import { metricSchema } from '../../src/protocol/heartbeat.ts';
import { collectorSettings, FIXTURES, fixture, fixtureFiles, fixtureHost } from '../helpers/fixture-host.ts';

const docs = readFileSync(fileURLToPath(new URL('../../docs/collectors.md', import.meta.url)), 'utf8');

/** What stays the same wherever the fixtures lie: a missing file is told by its path. */
const withoutPaths = (text: string, name: string) => text.replaceAll(fixture(name), '');

async function collect(name: string) {
  const runner = new Runner(fixtureHost(name), collectorSettings(), COLLECTORS, fixtureFiles());
  const { metrics, statuses } = await runner.collect();
  runner.close();
  return { statuses, metrics };
}

/** One metric a line, so that a difference can be read. */
const render = ({ statuses, metrics }: Awaited<ReturnType<typeof collect>>): string =>
  `{\n"statuses": [\n${statuses.map((one) => JSON.stringify(one)).join(',\n')}\n],\n"metrics": [\n${metrics.map((one) => JSON.stringify(one)).join(',\n')}\n]\n}\n`;

describe.each(FIXTURES)('%s', (name) => {
  it('gives what its golden output says', async () => {
    const found = withoutPaths(render(await collect(name)), name);
    const file = fixture(name, 'golden.json');
    if (process.env.UPDATE_GOLDEN) writeFileSync(file, found);
    expect(found).toBe(readFileSync(file, 'utf8'));
  });

  it('fails in no collector, and fits the schema of the wire', async () => {
    const { statuses, metrics } = await collect(name);
    expect(statuses.filter(({ state }) => state === 'failed')).toEqual([]);
    for (const metric of metrics) {
      expect(metricSchema.safeParse(metric).success, metric.name).toBe(true);
      for (const point of metric.points) {
        expect(point, metric.name).toHaveLength(metric.attributes.length + 1);
        expect(point.at(-1), metric.name).toSatisfy(Number.isFinite);
      }
      const series = metric.points.map((point) => JSON.stringify(point.slice(0, -1)));
      expect(new Set(series).size, `${metric.name} has each series once`).toBe(series.length);
    }
    const names = metrics.map((metric) => metric.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('has each of its metrics in docs/collectors.md', async () => {
    const { metrics } = await collect(name);
    const missing = metrics.filter((metric) => !docs.includes(`| \`${metric.name}\` | \`${metric.unit}\` | ${metric.type} |`));
    expect(missing.map((metric) => metric.name)).toEqual([]);
  });
});
