import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { verb } from '../../src/cli/agent/outbox.ts';
import { out } from '../../src/cli/output.ts';
import { createProgram } from '../../src/cli/program.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { beat, openSpool, tempFolder } from '../delivery/support.ts';

/** Runs a verb in this process; what it printed, and what it threw. */
async function run(...args: string[]): Promise<{ text: string; error: unknown }> {
  const lines: string[] = [];
  const line = vi.spyOn(out, 'line').mockImplementation((text = '') => void lines.push(text));
  const json = vi.spyOn(out, 'json').mockImplementation((value) => void lines.push(JSON.stringify(value)));
  onTestFinished(() => {
    line.mockRestore();
    json.mockRestore();
    process.exitCode = undefined;
  });
  const program = createProgram('scout-agent', 'test');
  verb(program);
  try {
    await program.parseAsync(['outbox', ...args], { from: 'user' });
    return { text: lines.join('\n'), error: undefined };
  } catch (error) {
    return { text: lines.join('\n'), error };
  }
}

describe('outbox', () => {
  it('stats counts what is held, while the agent has it open and afterwards', async () => {
    const folder = tempFolder();
    const { spool } = openSpool({ path: join(folder, 'outbox.db') });
    for (let i = 0; i < 3; i++) spool.append(beat());
    const [first] = spool.batch('api', 1, 2 ** 20);
    spool.skip('api', first!, 'rejected');
    const expected = {
      instance: spool.instance,
      next_sequence: 4,
      depth: 2,
      destinations: [{ name: 'api', pending: 2 }],
      losses: [{ reason: 'rejected', count: 1 }],
    };
    expect(JSON.parse((await run('stats', '--json', '--state-dir', folder)).text)).toMatchObject(expected);
    spool.close();
    const files = readdirSync(folder);
    expect(JSON.parse((await run('stats', '--json', '--state-dir', folder)).text)).toMatchObject(expected);
    expect((await run('stats', '--state-dir', folder)).text).toMatch(/api +2/);
    expect(readdirSync(folder)).toEqual(files);
  });

  it('verify tells a sound one from one whose content was changed', async () => {
    const folder = tempFolder();
    const { spool } = openSpool({ path: join(folder, 'outbox.db') });
    spool.append(beat());
    expect(await run('verify', '--state-dir', folder)).toMatchObject({
      text: expect.stringContaining('1 heartbeats, all sound'),
      error: undefined,
    });
    spool.append(() => ({ json: '{"instance":"another"}', time: 1 }));
    const { text, error } = await run('verify', '--state-dir', folder);
    expect(text).toContain('its content is that of another one');
    expect(error).toBeInstanceOf(ScoutError);
    expect((error as ScoutError).code).toBe('OUTBOX_DAMAGED');
  });

  it('makes no file where there is none', async () => {
    const folder = tempFolder();
    const { error } = await run('stats', '--state-dir', folder);
    expect((error as ScoutError).code).toBe('OUTBOX_ABSENT');
    expect(readdirSync(folder)).toEqual([]);
  });
});
