import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentStatus } from '../../src/agent/control.ts';
import { ask } from '../../src/agent/control-client.ts';
import { type ControlHandlers, ControlServer } from '../../src/agent/control-server.ts';
import { ScoutError } from '../../src/support/errors.ts';

let folder: string;
let path: string;
const started: ControlServer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'control-'));
  path = join(folder, 'control.sock');
});
afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function serve(handlers: Partial<ControlHandlers> = {}, at = path): Promise<ControlServer> {
  const server = new ControlServer(at, {
    status: () => ({ state: 'running', pid: 42 }) as AgentStatus,
    heartbeat: async () => ({ instance: 'i', sequence: 7, outcome: { kind: 'accepted', accepted: 1, duplicates: 0 } }),
    reload: async () => ({ ok: true, problems: [] }),
    stop: () => {},
    hold: async () => {},
    release: async () => {},
    adopt: async () => ({ outcome: 'accepted', detail: '' }),
    ...handlers,
  });
  await server.start();
  started.push(server);
  return server;
}

/** Sends raw bytes, and gives what came back when the other side closed. */
async function raw(text: string, end = true): Promise<string> {
  const socket = connect(path);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.on('error', () => {});
  if (end) socket.end(text);
  else socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('the control socket', () => {
  it('carries each request and its result', async () => {
    await serve();
    expect(await ask(path, { command: 'status' }, 5_000)).toMatchObject({ pid: 42 });
    expect(await ask(path, { command: 'heartbeat' }, 5_000)).toMatchObject({ sequence: 7 });
    expect(await ask(path, { command: 'reload' }, 5_000)).toEqual({ ok: true, problems: [] });
  });

  it('hands on what a request holds, and refuses what does not fit', async () => {
    const held: number[] = [];
    const adopted: string[] = [];
    await serve({
      hold: async (ms) => void held.push(ms),
      adopt: async (fingerprint) => {
        adopted.push(fingerprint);
        return { outcome: 'pending', detail: 'd' };
      },
    });
    expect(await ask(path, { command: 'hold', ms: 100 }, 5_000)).toEqual({ held: true });
    expect(await ask(path, { command: 'release' }, 5_000)).toEqual({ held: false });
    expect(await ask(path, { command: 'adopt', fingerprint: '0123456789ab' }, 5_000)).toEqual({ outcome: 'pending', detail: 'd' });
    const wrong = [{ ms: 99 }, { ms: 300_001 }, { ms: 100.5 }, { ms: '100' }, { ms: null }, {}].map((fields) => ({
      command: 'hold',
      ...fields,
    }));
    const odd = [{ fingerprint: '0123' }, { fingerprint: 7 }, { fingerprint: '0123456789AB' }, {}].map((fields) => ({
      command: 'adopt',
      ...fields,
    }));
    for (const request of [...wrong, ...odd])
      expect(JSON.parse(await raw(`${JSON.stringify(request)}\n`))).toMatchObject({ ok: false, problem: { code: 'USAGE' } });
    expect({ held, adopted }).toEqual({ held: [100], adopted: ['0123456789ab'] });
  });

  it('answers a stop before it acts on it', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await serve({ stop: resolve });
    expect(await ask(path, { command: 'stop' }, 5_000)).toEqual({ pid: process.pid });
    await promise;
  });

  it('may be used by its owner only', async () => {
    await serve();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('brings back the problem of a handler that throws', async () => {
    await serve({
      heartbeat: async () => {
        throw new ScoutError('SERVICE_BUSY', { endpoint: 'e', detail: 'd' });
      },
    });
    await expect(ask(path, { command: 'heartbeat' }, 5_000)).rejects.toMatchObject({
      code: 'SERVICE_BUSY',
      message: expect.stringContaining('e asks'),
    });
  });

  it('refuses what it does not know, and what is too long, and goes on', async () => {
    await serve();
    for (const text of ['{"command":"dance"}\n', 'not json\n', 'null\n', `${'x'.repeat(9_000)}`])
      expect(JSON.parse(await raw(text, false))).toMatchObject({ ok: false, problem: { code: 'USAGE' } });
    expect(await raw('')).toBe('');
    expect(await ask(path, { command: 'status' }, 5_000)).toMatchObject({ pid: 42 });
  });

  it('says that nobody is there: no socket, no listener, no answer', async () => {
    const nobody = { code: 'AGENT_NOT_RUNNING' };
    await expect(ask(path, { command: 'status' }, 5_000)).rejects.toMatchObject(nobody);
    const silent = createServer(() => {}).listen(path);
    await once(silent, 'listening');
    await expect(ask(path, { command: 'status' }, 50)).rejects.toMatchObject(nobody);
    silent.close();
  });

  it.skipIf(process.platform === 'win32')('says so when this user may not connect', async () => {
    await serve();
    chmodSync(path, 0);
    const root = process.geteuid?.() === 0;
    // Root may connect anywhere, so it is somebody else for as long as this takes.
    if (root) process.seteuid?.(65_534);
    try {
      await expect(ask(path, { command: 'status' }, 5_000)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    } finally {
      if (root) process.seteuid?.(0);
    }
  });

  it('takes the place of a socket left behind, and not of one that answers', async () => {
    // Closing the descriptor alone leaves the file, as kill -9 does.
    const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', program]);
    expect(existsSync(path)).toBe(true);
    await serve();
    await expect(serve()).rejects.toMatchObject({ code: 'AGENT_RUNNING', message: expect.stringContaining('42') });
    expect(await ask(path, { command: 'status' }, 5_000)).toMatchObject({ pid: 42 });
  });

  it.skipIf(process.platform !== 'linux')('works at a path longer than the kernel takes', async () => {
    const deep = join(folder, 'd'.repeat(60), 'e'.repeat(60));
    mkdirSync(deep, { recursive: true });
    const long = join(deep, 'control.sock');
    const server = await serve({}, long);
    expect(await ask(long, { command: 'status' }, 5_000)).toMatchObject({ pid: 42 });
    await server.stop();
    expect(readdirSync(deep)).toEqual([]);
  });

  it('ends while somebody is connected and silent', async () => {
    const server = await serve();
    const socket = connect(path);
    socket.on('error', () => {});
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    socket.resume();
    await server.stop();
    await closed;
    expect(existsSync(path)).toBe(false);
  });

  it('names the folder that cannot be made', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(serve({}, join(folder, 'file', 'control.sock'))).rejects.toMatchObject({ code: 'CONTROL_SOCKET' });
  });
});
