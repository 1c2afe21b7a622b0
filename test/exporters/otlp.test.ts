import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toOtlp } from '../../src/exporters/otlp.ts';
import { encodeOtlpJson } from '../../src/exporters/otlp-json.ts';
import { encodeOtlp } from '../../src/exporters/otlp-protobuf.ts';
import type { Heartbeat, Metric } from '../../src/protocol/heartbeat.ts';
import { decodeRequest } from './decoder.ts';
import { sampleHeartbeat } from './sample.ts';

interface Point {
  attributes?: { key: string; value: Record<string, unknown> }[];
  startTimeUnixNano?: string;
  timeUnixNano: string;
  asInt?: string;
  asDouble?: number;
}
interface Found {
  name: string;
  unit: string;
  gauge?: { dataPoints: Point[] };
  sum?: { dataPoints: Point[]; aggregationTemporality: number; isMonotonic?: boolean };
}

function send(heartbeats: Heartbeat[], inventory?: Heartbeat['inventory']) {
  const resources = toOtlp(heartbeats, () => inventory);
  const decoded = decodeRequest(encodeOtlp(resources)) as {
    resourceMetrics: {
      resource: { attributes: { key: string; value: { stringValue: string } }[] };
      scopeMetrics: { scope: object; metrics: Found[] }[];
    }[];
  };
  return decoded.resourceMetrics.map(({ resource, scopeMetrics: [scope] }) => ({
    attributes: Object.fromEntries(resource.attributes.map(({ key, value }) => [key, value.stringValue])),
    scope: scope!.scope,
    metrics: Object.fromEntries(scope!.metrics.map((metric) => [metric.name, metric])),
  }));
}

const points = (metric: Found | undefined) => (metric?.sum ?? metric?.gauge)?.dataPoints ?? [];

describe('toOtlp, encodeOtlp', () => {
  it('names the host and the agent in the resource, and itself as scope', () => {
    const heartbeat = sampleHeartbeat();
    const [found] = send([heartbeat], { 'host.id': 'an-id', 'os.type': 'linux', 'scout.cpu.cores': 4 });
    expect(found!.attributes).toEqual({
      'service.name': 'scout-agent',
      'service.version': '0.1.0',
      'service.instance.id': heartbeat.instance,
      'host.name': 'web-1',
      'host.id': 'an-id',
      'os.type': 'linux',
    });
    expect(found!.scope).toEqual({ name: 'scout-agent', version: '0.1.0' });
  });

  it("takes the heartbeat's own inventory when nothing else is known", () => {
    const [found] = send([sampleHeartbeat({ inventory: { 'host.id': 'its-own' } })]);
    expect(found!.attributes).toMatchObject({ 'host.id': 'its-own' });
    expect(send([sampleHeartbeat()])[0]!.attributes).not.toHaveProperty('host.id');
  });

  it('makes a counter a monotonic cumulative sum since boot', () => {
    const { metrics } = send([sampleHeartbeat()])[0]!;
    expect(metrics['system.cpu.time']).toEqual({
      name: 'system.cpu.time',
      unit: 's',
      sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: expect.any(Array) },
    });
    expect(points(metrics['system.cpu.time'])).toHaveLength(4);
    expect(points(metrics['system.cpu.time'])[0]).toEqual({
      attributes: [
        { key: 'cpu.mode', value: { stringValue: 'user' } },
        { key: 'cpu.logical_number', value: { intValue: '0' } },
      ],
      startTimeUnixNano: '1789900000000000000',
      timeUnixNano: '1790000000123000000',
      asDouble: 120.5,
    });
  });

  it('sends flags without a unit: a receiver would make ratios of them', () => {
    const flag: Metric = { name: 'scout.collector.success', unit: '1', type: 'gauge', attributes: ['collector'], points: [['cpu', 1]] };
    const { metrics } = send([sampleHeartbeat({ metrics: [flag, { ...flag, name: 'scout.pressure.ratio' }] })])[0]!;
    expect(metrics['scout.collector.success']?.unit ?? '').toBe('');
    expect(metrics['scout.pressure.ratio']?.unit).toBe('1');
  });

  it('makes an updowncounter a sum that is not monotonic and has no start, and a gauge a gauge', () => {
    const { metrics } = send([sampleHeartbeat()])[0]!;
    expect(metrics['system.memory.usage']!.sum).toEqual({ aggregationTemporality: 2, dataPoints: expect.any(Array) });
    expect(points(metrics['system.memory.usage'])[1]).toEqual({
      attributes: [{ key: 'system.memory.state', value: { stringValue: 'free' } }],
      timeUnixNano: '1790000000123000000',
      asInt: '7000000000000',
    });
    expect(metrics['scout.load']).toHaveProperty('gauge');
    expect(metrics['scout.load']).not.toHaveProperty('sum');
  });

  it('keeps each kind of number: counts as integers, seconds and readings as doubles even when whole', () => {
    const { metrics } = send([sampleHeartbeat()])[0]!;
    expect(points(metrics['system.network.io'])[0]).toMatchObject({ asInt: String(2 ** 52 + 1) });
    expect(points(metrics['system.cpu.time'])[1]).toMatchObject({ asDouble: 9_000 });
    expect(points(metrics['scout.load'])[1]).toMatchObject({ asDouble: 1 });
    expect(points(metrics['scout.temperature'])[0]).toMatchObject({ asDouble: -12.5 });
    expect(points(metrics['scout.level'])[0]).toMatchObject({
      asInt: '-7',
      attributes: [
        { key: 'step', value: { doubleValue: 0.5 } },
        { key: 'low', value: { intValue: '-3' } },
      ],
    });
  });

  it("gives no start to the agent's own counts, to hosts without boot time and to a boot after the sample", () => {
    const starts = (heartbeat: Heartbeat, name: string) => points(send([heartbeat])[0]!.metrics[name])[0]!.startTimeUnixNano;
    expect(starts(sampleHeartbeat(), 'scout.agent.reloads')).toBeUndefined();
    expect(starts(sampleHeartbeat({ host: { name: 'h' } }), 'system.cpu.time')).toBeUndefined();
    expect(starts(sampleHeartbeat({ host: { name: 'h', boot_time: 1_800_000_000 } }), 'system.cpu.time')).toBeUndefined();
    expect(starts(sampleHeartbeat({ host: { name: 'h', boot_time: 1_789_900_000.5 } }), 'system.cpu.time')).toBe('1789900000500000000');
  });

  it('leaves out metrics without points and rows that do not fit', () => {
    const odd: Metric = { name: 'odd', unit: '1', type: 'gauge', attributes: ['a'], points: [['x'], ['x', 'y'], ['x', 4]] };
    const { metrics } = send([sampleHeartbeat({ metrics: [odd, { ...odd, name: 'empty', points: [] }] })])[0]!;
    expect(Object.keys(metrics)).toEqual(['odd']);
    expect(points(metrics.odd)).toHaveLength(1);
  });

  it('puts heartbeats of one agent under one resource, each metric once, with its points in order of time', () => {
    const first = sampleHeartbeat();
    const second = { ...first, sequence: 2, time: first.time + 10_000 };
    const found = send([first, second, sampleHeartbeat()]);
    expect(found).toHaveLength(2);
    expect(points(found[0]!.metrics['scout.temperature']).map((one) => one.timeUnixNano)).toEqual([
      '1790000000123000000',
      '1790000010123000000',
    ]);
  });

  it('says the same in JSON', () => {
    const resources = toOtlp([sampleHeartbeat(), sampleHeartbeat({ time: 1_790_000_010_123 })]);
    expect(JSON.parse(encodeOtlpJson(resources))).toEqual(decodeRequest(encodeOtlp(resources)));
  });

  it('says the same in both for any heartbeat', () => {
    const number = fc.oneof(
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    );
    const label = fc.oneof(fc.string({ unit: 'grapheme' }), number);
    const metric = fc
      .record({
        name: fc.string({ minLength: 1 }),
        unit: fc.constantFrom('s', 'By', '1', '{x}'),
        type: fc.constantFrom('counter', 'updowncounter', 'gauge') as fc.Arbitrary<Metric['type']>,
        attributes: fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }),
      })
      .chain((shape) => {
        const row = fc.tuple(fc.array(label, { minLength: shape.attributes.length, maxLength: shape.attributes.length }), number);
        return fc
          .array(row, { minLength: 1, maxLength: 5 })
          .map((rows) => ({ ...shape, points: rows.map(([labels, value]) => [...labels, value]) }));
      });
    fc.assert(
      fc.property(fc.array(metric, { minLength: 1, maxLength: 30 }), fc.nat(2 ** 41), (metrics, time) => {
        const resources = toOtlp([sampleHeartbeat({ metrics, time })]);
        expect(JSON.parse(encodeOtlpJson(resources))).toEqual(decodeRequest(encodeOtlp(resources)));
      }),
      { numRuns: 200 },
    );
  });
});
