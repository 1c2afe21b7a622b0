import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { verb as sampleVerb } from '../../src/cli/agent/sample.ts';
import { humanValue } from '../../src/cli/agent/sample-table.ts';
import { createProgram, runProgram } from '../../src/cli/program.ts';
import { heartbeatSchema } from '../../src/protocol/heartbeat.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'scout-sample-'));
const config = join(folder, 'config.yml');
const written = { stdout: '', stderr: '' };

beforeAll(() => {
  writeFileSync(config, 'interval: 42s\nhost_name: web.example\ncollectors:\n  pressure: false\n', { mode: 0o600 });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the verb in this process; its exit status. */
async function run(...args: string[]): Promise<number> {
  written.stdout = '';
  written.stderr = '';
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += text;
      return true;
    });
  }
  const program = createProgram('scout-agent', '');
  sampleVerb(program);
  await runProgram(program, ['sample', ...args]);
  return Number(process.exitCode ?? 0);
}

describe('scout-agent sample', () => {
  it('prints a heartbeat as it would be sent, without any key', async () => {
    expect(await run('--json', '--config', config)).toBe(0);
    const heartbeat = heartbeatSchema.parse(JSON.parse(written.stdout));
    expect(heartbeat).toMatchObject({ sequence: 1, interval: 42, host: { name: 'web.example' } });
    const collectors = heartbeat.metrics.find(({ name }) => name === 'scout.collector.success')?.points.map(([name]) => name);
    expect(collectors).toContain('cpu');
    expect(collectors).not.toContain('pressure');
  });

  it('takes the collectors named and no others', async () => {
    expect(await run('--json', '--config', config, '--collector', 'system', '--collector', 'load')).toBe(0);
    const { metrics } = heartbeatSchema.parse(JSON.parse(written.stdout));
    const collectors = metrics.find(({ name }) => name === 'scout.collector.success')?.points.map(([name]) => name);
    expect(collectors?.toSorted()).toEqual(['load', 'system']);
  });

  it('shows people a table a collector', async () => {
    expect(await run('--config', config, '--collector', 'memory', 'system')).toBe(0);
    expect(written.stdout).toMatch(/^memory\b/m);
    expect(written.stdout).toMatch(/system\.memory\.limit +[\d.]+ [GM]iB/);
    expect(written.stdout).toMatch(/\d+ points from 2 collectors/);
  });

  it('names the collectors there are when one is unknown', async () => {
    expect(await run('--collector', 'cpus')).toBe(64);
    expect(written.stderr).toContain('COLLECTOR_UNKNOWN: there is no collector `cpus`');
    expect(written.stderr).toContain('cpu, load, memory');
  });

  it('says what is wrong with a configuration that was named', async () => {
    expect(await run('--config', join(folder, 'nowhere.yml'))).toBe(78);
    expect(written.stderr).toContain('CONFIG_MISSING_FILE');
  });
});

describe('humanValue', () => {
  it.each([
    ['system.memory.limit', 'By', 3 * 2 ** 30, '3.0 GiB'],
    ['system.uptime', 's', 93_784.2, '1d 2h'],
    ['system.disk.io_time', 's', 4.25, '4.25 s'],
    ['scout.boot_time', 's', 1_763_012_345, '2025-11-13T05:39:05.000Z'],
    ['scout.pressure.ratio', '1', 0.0125, '1.25 %'],
    ['hw.temperature', 'Cel', 48.5, '48.5 °C'],
    ['system.process.count', '{process}', 2, '2 processes'],
    ['scout.context_switches', '{context_switch}', 1, '1 context switch'],
    ['scout.filesystem.readonly', '1', 0, '0'],
  ])('%s', (name, unit, value, text) => expect(humanValue(name, unit, value)).toBe(text));
});
