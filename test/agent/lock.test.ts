import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holder, StateLock } from '../../src/agent/state-lock.ts';

const MODULE = new URL('../../src/agent/state-lock.ts', import.meta.url).href;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process of its own that takes the lock, says so, and stays. */
async function other(): Promise<ChildProcess> {
  const program = `const { StateLock } = await import(${JSON.stringify(MODULE)});
    globalThis.lock = new StateLock(${JSON.stringify(folder)}); lock.acquire(); console.log('held'); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

describe('StateLock', () => {
  it('keeps a second agent out and names the first, until that is killed', async () => {
    const child = await other();
    const lock = new StateLock(folder);
    expect(() => lock.acquire()).toThrow(
      expect.objectContaining({ code: 'AGENT_RUNNING', message: expect.stringContaining(String(child.pid)) }),
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    lock.acquire();
    expect(holder(folder)).toBe(process.pid);
    lock.release();
    expect(existsSync(join(folder, 'agent.lock.pid'))).toBe(false);
    const again = await other();
    again.kill('SIGKILL');
    await once(again, 'exit');
  });

  it('survives many kills', async () => {
    for (let round = 0; round < 3; round += 1) {
      const child = await other();
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const lock = new StateLock(folder);
    lock.acquire();
    lock.release();
  });

  it('says so when the folder cannot be written', () => {
    expect(() => new StateLock('/proc/nothing').acquire()).toThrow(expect.objectContaining({ code: 'FILE_UNWRITABLE' }));
  });
});
