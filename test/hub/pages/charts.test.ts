import { describe, expect, it } from 'vitest';
import { CHARTS, DETAIL_CHARTS, drawCharts, metricsOf } from '../../../src/hub/pages/charts.ts';
import { open } from '../../../src/hub/pages/readings.ts';
import { FakeHost, incoming } from '../../pages/fleet-data.ts';

const STEP = 10_000;
const host = new FakeHost('web-1');
const beats = Array.from({ length: 60 }, (_, i) => incoming(host.beat(i * STEP)).frame);
const charts = drawCharts(
  CHARTS,
  beats.map((frame) => open(frame, metricsOf([...CHARTS, ...DETAIL_CHARTS]))!),
  STEP,
);
const chart = (id: string) => charts.find((one) => one.id === id)!;
const labels = (id: string) => chart(id).series.map((one) => one.label);

describe('charts', () => {
  it('are all drawn from a real heartbeat', () => expect(charts.map((one) => one.id)).toEqual(CHARTS.map((one) => one.id)));

  it('show the processor by mode in percent of all cores, without idling', () => {
    expect(labels('cpu')).toEqual(['user', 'system', 'iowait', 'softirq']);
    expect(chart('cpu').zero).toEqual(['nice', 'interrupt', 'steal']);
    const total = chart('cpu').times.map((_, i) => chart('cpu').series.reduce((sum, one) => sum + (one.values[i] ?? 0), 0));
    expect(Math.max(...total)).toBeLessThanOrEqual(100);
    expect(Math.max(...total)).toBeGreaterThan(10);
  });

  it('count bytes of disks and links once', () => {
    expect(labels('disk')).toEqual(['written', 'read']);
    expect(chart('disk').series[0]!.most).toBeLessThan(6.2e6);
    expect(chart('network').series[0]!.most).toBeLessThan(2.1e6);
  });

  it('reckon file systems as df does', () => {
    expect(labels('filesystems')).toEqual(['/', '/var/lib/postgresql', '/boot']);
    expect(chart('filesystems').series[0]!.latest).toBeCloseTo(42, 5);
  });

  it('say the latest, the least and the most of each line', () => {
    for (const { series } of charts)
      for (const { values, latest, least, most } of series) {
        const known = values.filter((value) => value !== null);
        expect([latest, least, most]).toEqual([values.at(-1), Math.min(...known), Math.max(...known)]);
      }
  });

  it('leave out what a server does not send', () => {
    const names = new Set(['scout.load']);
    expect(
      drawCharts(
        CHARTS,
        beats.map((frame) => open(frame, names)!),
        STEP,
      ).map((one) => one.id),
    ).toEqual(['load']);
    expect(drawCharts(CHARTS, [], STEP)).toEqual([]);
  });

  it('keep the eight lines with the highest peaks', () => {
    const points = Array.from({ length: 12 }, (_, i) => [`/m${i}`, 'used', i] as [string, string, number]).flatMap(([mount, , used]) => [
      ['d', mount, 't', 'rw', 'used', used],
      ['d', mount, 't', 'rw', 'free', 100],
    ]);
    const attributes = [
      'system.device',
      'system.filesystem.mountpoint',
      'system.filesystem.type',
      'system.filesystem.mode',
      'system.filesystem.state',
    ];
    const usage = { name: 'system.filesystem.usage', unit: 'By', type: 'updowncounter' as const, attributes, points };
    const [drawn] = drawCharts(CHARTS, [{ time: 0, boot: undefined, metrics: new Map([[usage.name, usage]]) }], STEP);
    expect(drawn?.series.map((one) => one.label)).toEqual(['/m4', '/m5', '/m6', '/m7', '/m8', '/m9', '/m10', '/m11']);
    expect(drawn?.left).toBe(4);
  });
});
