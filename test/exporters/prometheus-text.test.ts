import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderPrometheus } from '../../src/exporters/prometheus-text.ts';
import type { Metric } from '../../src/protocol/heartbeat.ts';
import { sampleHeartbeat } from './sample.ts';

const gauge = (name: string, attributes: string[], points: Metric['points']): Metric => ({
  name,
  unit: '',
  type: 'gauge',
  attributes,
  points,
});

describe('renderPrometheus', () => {
  it('renders each metric with its help, type and series', () => {
    expect(renderPrometheus(sampleHeartbeat().metrics)).toBe(
      `# HELP system_cpu_time_seconds_total system.cpu.time, unit s
# TYPE system_cpu_time_seconds_total counter
system_cpu_time_seconds_total{cpu_mode="user",cpu_logical_number="0"} 120.5
system_cpu_time_seconds_total{cpu_mode="idle",cpu_logical_number="0"} 9000
system_cpu_time_seconds_total{cpu_mode="user",cpu_logical_number="1"} 118.25
system_cpu_time_seconds_total{cpu_mode="idle",cpu_logical_number="1"} 9001.75
# HELP system_memory_usage_bytes system.memory.usage, unit By
# TYPE system_memory_usage_bytes gauge
system_memory_usage_bytes{system_memory_state="used"} 1234567890
system_memory_usage_bytes{system_memory_state="free"} 7000000000000
# HELP system_network_io_bytes_total system.network.io, unit By
# TYPE system_network_io_bytes_total counter
system_network_io_bytes_total{network_interface_name="eth0"} 4503599627370497
# HELP scout_load scout.load, unit {thread}
# TYPE scout_load gauge
scout_load{period="1m"} 0.25
scout_load{period="5m"} 1
# HELP scout_temperature_celsius scout.temperature, unit Cel
# TYPE scout_temperature_celsius gauge
scout_temperature_celsius{sensor="ünï \\"quoted\\" \\\\ \\n"} -12.5
# HELP scout_level scout.level, unit {level}
# TYPE scout_level gauge
scout_level{step="0.5",low="-3"} -7
# HELP scout_agent_reloads_total scout.agent.reloads, unit {reload}
# TYPE scout_agent_reloads_total counter
scout_agent_reloads_total{result="ok"} 3
`,
    );
  });

  it('keeps the first of two series that are the same, and one head for a name', () => {
    const text = renderPrometheus([
      gauge('a.b', ['x'], [['1', 1]]),
      gauge('c', [], [[5]]),
      gauge(
        'a_b',
        ['x'],
        [
          ['1', 2],
          [1, 3],
          ['2', 4],
        ],
      ),
    ]);
    expect(text.match(/^a_b.*/gm)).toEqual(['a_b{x="1"} 1', 'a_b{x="2"} 4']);
    expect(text.match(/TYPE a_b/g)).toHaveLength(1);
  });

  it('keeps the first of two metrics with one name and different types', () => {
    const text = renderPrometheus([gauge('a.total', [], [[1]]), { ...gauge('a', [], [[2]]), type: 'counter' }]);
    expect(text).toBe('# HELP a_total a.total\n# TYPE a_total gauge\na_total 1\n');
  });

  it('joins the values of attributes that fall on one label', () => {
    expect(renderPrometheus([gauge('g', ['a.b', 'c', 'a_b'], [['1', '2', '3', 4]])])).toContain('g{a_b="1;3",c="2"} 4\n');
  });

  it('renders no series twice and only lines of the format, whatever the names', () => {
    const row = fc.tuple(fc.string(), fc.oneof(fc.string(), fc.double()), fc.double({ noNaN: true }));
    const metric = fc.record({
      name: fc.string({ minLength: 1 }),
      unit: fc.constantFrom('s', 'By', '1', '{x}', 'x/y', ''),
      type: fc.constantFrom('counter', 'updowncounter', 'gauge') as fc.Arbitrary<Metric['type']>,
      attributes: fc.tuple(fc.string({ minLength: 1 }), fc.string({ minLength: 1 })),
      points: fc.array(row, { maxLength: 5 }) as fc.Arbitrary<Metric['points']>,
    });
    const comment = /^# (HELP|TYPE) [A-Za-z_:][A-Za-z0-9_:]* /;
    const series = /^([A-Za-z_:][A-Za-z0-9_:]*\{(?:,?[A-Za-z_][A-Za-z0-9_]*="(?:[^"\\\n]|\\[\\"n])*")*\}) \S+$/;
    fc.assert(
      fc.property(fc.array(metric, { maxLength: 20 }), (metrics) => {
        const lines = renderPrometheus(metrics).split('\n').slice(0, -1);
        const found = lines.filter((line) => !comment.test(line)).map((line) => series.exec(line)?.[1]);
        expect(found).not.toContain(undefined);
        expect(new Set(found).size).toBe(found.length);
      }),
      { numRuns: 200 },
    );
  });
});
