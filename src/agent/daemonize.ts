import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { detailOf, ScoutError } from '../support/errors.ts';
import { ensureFolder } from '../support/folder.ts';
import { ask } from './control-client.ts';
import { daemonCommand } from './process.ts';
import { READY_FD, type ReadyMessage } from './ready.ts';

interface Start {
  /** Arguments of `run`; their paths are absolute. */
  args: string[];
  /** Takes what the agent prints; made with mode 0640. */
  log: string;
  /** Where the agent's control socket will be. */
  socket: string;
  /** Longest wait for the first heartbeat's fate, ms. */
  patience?: number;
  /** What is started, and its environment; the daemon and ours unless a test says otherwise. */
  command?: typeof daemonCommand;
  env?: NodeJS.ProcessEnv;
}

/** An agent in the background, and what it said of its start. */
export interface Started {
  pid: number;
  message: ReadyMessage;
}

/** Descriptor of the pipe in the new process. */
const PIPE = 3;
const PATIENCE_MS = 30_000;

/**
 * Starts an agent in a session of its own and waits until its first heartbeat is accepted or safe on disk, or until it
 * says why not; then it is ended. Throws AGENT_START when it ends without a word or says nothing in time,
 * FILE_UNWRITABLE when its log cannot be opened.
 */
export async function startInBackground(start: Start): Promise<Started> {
  const { args, log, command: commandOf = daemonCommand, env = process.env } = start;
  const output = openLog(log);
  const command = commandOf(process.argv[1] as string, args, childEnvironment(env));
  const stdio: StdioOptions = ['ignore', output, output, 'pipe'];
  const child = spawn(process.execPath, command.args, { argv0: 'scout-agent', cwd: '/', detached: true, stdio, env: command.env });
  closeSync(output);
  try {
    const message = (await firstWord(child, start.patience ?? PATIENCE_MS)) ?? (await fromStatus(start));
    if (!message) throw new ScoutError('AGENT_START', { detail: 'no heartbeat was taken in time', log });
    if (!message.ready) await end(child);
    return { pid: child.pid as number, message };
  } catch (error) {
    await end(child);
    if (error instanceof ScoutError) throw error;
    throw new ScoutError('AGENT_START', { detail: detailOf(error), log }, {}, { cause: error });
  } finally {
    child.unref();
  }
}

function openLog(path: string): number {
  ensureFolder(dirname(path));
  try {
    return openSync(path, 'a', 0o640);
  } catch (error) {
    throw new ScoutError('FILE_UNWRITABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
}

/** Whoever starts us may itself be a service of systemd: its notices are not ours. */
function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NOTIFY_SOCKET: _, WATCHDOG_USEC: __, WATCHDOG_PID: ___, JOURNAL_STREAM: ____, ...rest } = env;
  // The working folder changes, so a relative path must not.
  return { ...rest, ...(rest.SCOUT_CONFIG && { SCOUT_CONFIG: resolve(rest.SCOUT_CONFIG) }), [READY_FD]: String(PIPE) };
}

/** What the agent says first; undefined when it says nothing in time. Rejects when it ends without a word. */
async function firstWord(child: ChildProcess, patience: number): Promise<ReadyMessage | undefined> {
  const { promise, resolve: settle, reject } = Promise.withResolvers<ReadyMessage | undefined>();
  const pipe = child.stdio[PIPE] as Readable;
  let text = '';
  const onData = (chunk: Buffer): void => {
    text += chunk.toString('utf8');
    const end = text.indexOf('\n');
    if (end !== -1) settle(JSON.parse(text.slice(0, end)) as ReadyMessage);
  };
  const onClose = (code: number | null, signal: NodeJS.Signals | null): void =>
    reject(new Error(signal ? `it was ended by ${signal}` : `it ended with status ${code}`));
  pipe.on('data', onData);
  child.once('error', reject);
  child.once('close', onClose);
  const timer = setTimeout(() => settle(undefined), patience);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.off('close', onClose);
    pipe.destroy();
  }
}

/** A service that hangs longer than we wait does not make a start fail: what was sampled lies in the outbox. */
async function fromStatus({ socket }: Start): Promise<ReadyMessage | undefined> {
  const status = await ask(socket, { command: 'status' }, 5_000).catch(() => undefined);
  if (!status?.last_sampled || !status.outbox.durable) return undefined;
  const endpoint = status.destinations[0]?.endpoint ?? 'the service';
  return { ready: true, state: 'spooled', endpoint, fingerprint: status.key.fingerprint, detail: 'it has not answered yet' };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(force);
}
