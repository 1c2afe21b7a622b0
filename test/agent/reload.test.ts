import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Agent, type Runnable } from '../../src/agent/agent.ts';
import type { CheckResult } from '../../src/agent/checker.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { realHost } from '../../src/support/host.ts';
import { createLogger } from '../../src/support/logger.ts';

/* What happens while a configuration is being read; the reading itself is a stand-in, so that it can be held up. */

let folder: string;
let agent: Agent;
let readings: ((result: CheckResult) => void)[];
const file = () => join(folder, 'config.yml');

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  folder = mkdtempSync(join(os.tmpdir(), 'scout-reload-'));
  readings = [];
  writeFileSync(file(), text('1h'), { mode: 0o600 });
  agent = new Agent({
    program: '',
    host: realHost(),
    log: createLogger({ level: 'info', format: 'json', secrets: () => [], sink: { write: () => {} } }),
    checked: read(),
    check: () => new Promise((resolve) => readings.push(resolve)),
    onStop: () => {},
  });
  await agent.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await agent.stop();
  rmSync(folder, { recursive: true });
});

const text = (interval: string) => `api: {endpoint: "http://127.0.0.1:9", key: "${'ab'.repeat(32)}"}
interval: ${interval}
collectors: {inventory: false}
state_dir: ${join(folder, 'state')}
runtime_dir: ${join(folder, 'run')}
`;

function read(): Runnable {
  const { config, problems } = resolveConfig({ file: file(), env: {}, uid: process.getuid?.() ?? 0 });
  if (!config) throw new Error(JSON.stringify(problems));
  return { file: file(), problems, watch: [file()], config, candidates: [], host_key: null, key_variable: null };
}

/** Ends the oldest reading that is under way, with what the file holds now. */
function finish(): void {
  readings.shift()?.({ checked: read(), exit: 0 });
}

it('is never answered by a reading that began before it was asked for', async () => {
  const first = agent.reload();
  finish();
  writeFileSync(file(), text('2h'));
  const second = agent.reload();
  const third = agent.reload();
  expect(await first).toMatchObject({ ok: true });
  await vi.waitFor(() => expect(readings).toHaveLength(1), 60_000);
  finish();
  expect(await Promise.all([second, third])).toMatchObject([{ ok: true }, { ok: true }]);
  expect(agent.interval).toBe(7_200_000);
  expect(readings).toHaveLength(0);
});

it('sees a file that changes while it is being read', async () => {
  const reload = agent.reload();
  const before = { checked: read(), exit: 0 };
  writeFileSync(file(), text('3h'));
  readings.shift()?.(before);
  expect(await reload).toMatchObject({ ok: true });
  expect(agent.interval).toBe(3_600_000);
  await vi.advanceTimersByTimeAsync(5_300);
  expect(readings).toHaveLength(1);
  finish();
  await vi.waitFor(() => expect(agent.interval).toBe(10_800_000), 60_000);
});
