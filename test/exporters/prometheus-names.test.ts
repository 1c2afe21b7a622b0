import { describe, expect, it } from 'vitest';
import { labelName, metricName } from '../../src/exporters/prometheus-names.ts';
import type { MetricType } from '../../src/protocol/heartbeat.ts';

describe('metricName', () => {
  it.each<[name: string, unit: string, type: MetricType, expected: string]>([
    ['system.cpu.time', 's', 'counter', 'system_cpu_time_seconds_total'],
    ['system.memory.usage', 'By', 'updowncounter', 'system_memory_usage_bytes'],
    ['system.disk.operations', '{operation}', 'counter', 'system_disk_operations_total'],
    ['scout.pressure.ratio', '1', 'gauge', 'scout_pressure_ratio'],
    ['system.cpu.utilization', '1', 'gauge', 'system_cpu_utilization_ratio'],
    ['scout.network.up', '1', 'gauge', 'scout_network_up'],
    ['scout.filesystem.readonly', '1', 'gauge', 'scout_filesystem_readonly'],
    ['some.share', '1', 'updowncounter', 'some_share'],
    ['scout.temperature', 'Cel', 'gauge', 'scout_temperature_celsius'],
    ['scout.entropy.available', 'bit', 'gauge', 'scout_entropy_available_bit'],
    ['disk.rate', 'By/s', 'gauge', 'disk_rate_bytes_per_second'],
    ['requests.rate', '{request}/s', 'gauge', 'requests_rate_per_second'],
    ['uptime.seconds', 's', 'gauge', 'uptime_seconds'],
    ['errors.total', '{error}', 'counter', 'errors_total'],
    ['a..b--c', '', 'gauge', 'a_b_c'],
    ['2nd.level', '', 'gauge', '_2nd_level'],
  ])('%s in %s, a %s, is %s', (name, unit, type, expected) => {
    expect(metricName({ name, unit, type })).toBe(expected);
  });
});

describe('labelName', () => {
  it.each([
    ['cpu.mode', 'cpu_mode'],
    ['__name__', '_name_'],
    ['0day', 'key_0day'],
    ['a-.b', 'a_b'],
  ])('%s is %s', (attribute, expected) => {
    expect(labelName(attribute)).toBe(expected);
  });
});
