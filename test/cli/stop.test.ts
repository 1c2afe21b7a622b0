import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const source = (path: string) => new URL(`../../src/${path}`, import.meta.url).href;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stop-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function node(program: string, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, '--', ...args], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1' },
  });
  children.push(child);
  return child;
}

const stop = (...args: string[]) => call('stop', ...args);

async function call(verb: string, ...args: string[]) {
  const child = node(
    `const { main } = await import(${JSON.stringify(source('cli/agent.ts'))}); await main(process.argv.slice(1));`,
    verb,
    ...['--state-dir', folder, '--runtime-dir', folder, ...args],
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  const [status] = await once(child, 'close');
  return { status, output };
}

/** A process that behaves as the agent does towards `stop`. */
async function agent(socket: boolean): Promise<ChildProcess> {
  const child = node(`
    const { StateLock } = await import(${JSON.stringify(source('agent/state-lock.ts'))});
    const { ControlServer } = await import(${JSON.stringify(source('agent/control-server.ts'))});
    // Held by the global object: what nobody refers to is collected, and its lock with it.
    const lock = (globalThis.lock = new StateLock(${JSON.stringify(folder)}));
    lock.acquire();
    process.on('SIGTERM', () => process.exit(0));
    const server = new ControlServer(${JSON.stringify(join(folder, 'control.sock'))}, { stop: () => process.exit(0) });
    if (${socket}) await server.start();
    setInterval(() => {}, 1e6);
    console.log('up');`);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

describe('stop', () => {
  it.each([true, false])('waits until the agent is gone (with its control socket: %s)', async (socket) => {
    const running = await agent(socket);
    const pidFile = join(folder, 'agent.pid');
    writeFileSync(pidFile, `${running.pid}\n`);
    const gone = once(running, 'exit');
    const done = await stop('--pid-file', pidFile);
    expect(done).toEqual({ status: 0, output: `scout-agent (process ${running.pid}) has stopped.\n` });
    await gone;
    expect(existsSync(pidFile)).toBe(false);
  });

  it('says that none runs, and signals nobody for an old number in a file', async () => {
    const bystander = node("setInterval(() => {}, 1e6); console.log('up')");
    await once(bystander.stdout as NodeJS.ReadableStream, 'data');
    writeFileSync(join(folder, 'agent.lock.pid'), `${bystander.pid}\n`);
    writeFileSync(join(folder, 'agent.lock'), '');
    const { status, output } = await stop();
    expect(status).toBe(1);
    expect(output).toContain('AGENT_NOT_RUNNING');
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
  });
});

it('status tells an agent that does not answer from none', async () => {
  expect(await call('status')).toMatchObject({ status: 1, output: expect.stringContaining('AGENT_NOT_RUNNING') });
  const { pid } = await agent(false);
  expect(await call('status')).toMatchObject({
    status: 1,
    output: expect.stringContaining(`AGENT_SILENT: the agent (process ${pid}) runs`),
  });
});
