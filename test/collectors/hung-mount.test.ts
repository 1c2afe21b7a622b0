import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { Files } from '../../src/collectors/files.ts';
import { COLLECTORS } from '../../src/collectors/registry.ts';
import { Runner } from '../../src/collectors/runner.ts';
import { realHost } from '../../src/support/host.ts';
import { collectorSettings } from '../helpers/fixture-host.ts';
import { hungMountMissing, mountHung } from '../helpers/hung-mount.ts';

const missing = hungMountMissing();
if (missing) console.warn(`skipped: a mount that hangs: ${missing}`);

describe.skipIf(missing)('a mount that hangs', () => {
  const mount = missing ? undefined : mountHung();
  afterAll(() => mount?.release());

  it('is reported stale by name, asked once, and delays nothing else', async () => {
    const runner = new Runner(realHost(), collectorSettings(), COLLECTORS, new Files());
    for (let sample = 0; sample < 3; sample++) {
      const { metrics, statuses } = await runner.collect();
      const stale = metrics.find(({ name }) => name === 'scout.filesystem.stale');
      expect(stale?.points).toContainEqual([mount?.path, 1]);
      expect(statuses.find(({ name }) => name === 'filesystem')).toMatchObject({ state: 'stale', detail: `no answer from ${mount?.path}` });
      expect(metrics.find(({ name }) => name === 'system.filesystem.usage')?.points.some((point) => point[1] === '/')).toBe(true);
      expect(statuses.filter(({ state }) => state === 'failed')).toEqual([]);
      expect(runner.hung).toBe(1);
    }
    runner.apply(collectorSettings());
    await runner.collect();
    expect(runner.hung, 'new settings do not ask it again').toBe(1);
    runner.close();
  });

  it('lets `sample` print and end with status 0', async () => {
    const program = fileURLToPath(new URL('../../src/cli/agent.ts', import.meta.url));
    const script = `const { createProgram, runProgram } = await import(${JSON.stringify(program.replace('agent.ts', 'program.ts'))});
      const { verb } = await import(${JSON.stringify(program.replace('agent.ts', 'agent/sample.ts'))});
      const made = createProgram('scout-agent', ''); verb(made);
      await runProgram(made, ['sample', '--collector', 'filesystem']);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).toContain(`no answer from ${mount?.path}`);
  });
});
