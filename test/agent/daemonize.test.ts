import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startInBackground } from '../../src/agent/daemonize.ts';
import { problem } from '../../src/support/errors.ts';

const READY = new URL('../../src/agent/ready.ts', import.meta.url).href;
let folder: string;
const pids: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'daemon-'));
});
afterEach(() => {
  for (const pid of pids.splice(0)) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a stand-in for the agent, which runs `body` with `signalReady` at hand. */
async function start(body: string, options: { args?: string[]; env?: NodeJS.ProcessEnv; patience?: number } = {}) {
  const program = join(folder, 'program.mjs');
  writeFileSync(program, `import { signalReady } from ${JSON.stringify(READY)};\nconst stay = () => setInterval(() => {}, 1e6);\n${body}`);
  const started = await startInBackground({
    args: [],
    log: join(folder, 'a', 'agent.log'),
    socket: join(folder, 'control.sock'),
    command: (_, args, env = {}) => ({ args: [program, ...args], env }),
    ...options,
  });
  if (started.message.ready) pids.push(started.pid);
  return started;
}

const log = () => readFileSync(join(folder, 'a', 'agent.log'), 'utf8');
const accepted = `signalReady({ ready: true, state: 'accepted', endpoint: 'https://hub', fingerprint: 'abc' });`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('startInBackground', () => {
  it('returns when the agent says that its heartbeat was accepted, and leaves it running', async () => {
    const { pid, message } = await start(`console.log('up'); ${accepted} stay();`);
    expect(message).toMatchObject({ ready: true, state: 'accepted', endpoint: 'https://hub' });
    expect(isAlive(pid)).toBe(true);
    expect(log()).toBe('up\n');
  });

  it('runs it in a session of its own, at the root, with the arguments of run and no notice socket', async () => {
    await start(
      `console.log(JSON.stringify([process.cwd(), process.argv.slice(2), process.env.NOTIFY_SOCKET ?? null])); ${accepted} stay();`,
      {
        args: ['--config', '/x/y.yml'],
        env: { ...process.env, NOTIFY_SOCKET: '/run/n' },
      },
    );
    expect(JSON.parse(log())).toEqual(['/', ['--config', '/x/y.yml'], null]);
  });

  it('hides the pipe from what the agent itself starts', async () => {
    await start(`${accepted} console.log(process.env.SCOUT_READY_FD ?? 'gone'); signalReady({}); stay();`);
    await expect.poll(log).toBe('gone\n');
  });

  it('hands back the problems of a start that failed, and ends what is left of it', async () => {
    const found = problem('KEY_REFUSED', { endpoint: 'e', fingerprint: 'f' });
    const { pid, message } = await start(`signalReady({ ready: false, problems: [${JSON.stringify(found)}], exit: 77 }); stay();`);
    expect(message).toEqual({ ready: false, problems: [found], exit: 77 });
    expect(isAlive(pid)).toBe(false);
  });

  it('says so when the agent ends without a word, and where its log is', async () => {
    await expect(start(`console.error('boom'); process.exit(3);`)).rejects.toMatchObject({
      code: 'AGENT_START',
      message: expect.stringContaining('status 3'),
      problem: { remedy: expect.stringContaining('agent.log') },
    });
    expect(log()).toBe('boom\n');
  });

  it('asks for its status when it says nothing in time', async () => {
    const server = createServer((socket) => {
      const status = {
        last_sampled: { sequence: 1 },
        outbox: { durable: true },
        destinations: [{ endpoint: 'https://slow' }],
        key: { fingerprint: 'f' },
      };
      socket.end(`${JSON.stringify({ ok: true, result: status })}\n`);
    });
    server.listen(join(folder, 'control.sock'));
    await once(server, 'listening');
    try {
      expect((await start('stay();', { patience: 10 })).message).toMatchObject({ ready: true, state: 'spooled', endpoint: 'https://slow' });
    } finally {
      server.close();
    }
  });

  it('ends an agent that says nothing and cannot be asked', async () => {
    await expect(start('stay();', { patience: 10 })).rejects.toMatchObject({ code: 'AGENT_START' });
  });

  it('names a log that cannot be opened', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(startInBackground({ args: [], log: join(file, 'log'), socket: '' })).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
  });
});
