import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';
import { folderOptions, notEmpty, type RunOptions } from './run-options.ts';
import { findPlaces } from './running.ts';

interface Options extends RunOptions {
  pidFile?: string;
}

const LIMIT_SECONDS = 30;
const ANSWER_MS = 5_000;
const LOOK_MS = 20;

/** `stop`: asks the agent over its control socket to end, or signals it where that is gone, and waits until it has. */
export const verb: Verb = (program) => {
  const command = folderOptions(program.command('stop').description('stop a background agent, and wait until it has flushed')).option(
    '--pid-file <file>',
    'the file given at start; removed at the end',
    notEmpty,
  );
  example(command, 'scout-agent stop').action(stop);
};

async function stop(options: Options): Promise<void> {
  const { socket, state } = await findPlaces(options);
  const pid = (await askToStop(socket)) ?? (await signalHolder(state, options.pidFile));
  if (pid === undefined) throw new ScoutError('AGENT_NOT_RUNNING', { path: socket });
  await untilGone(pid);
  if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true });
  out.line(`scout-agent (process ${pid}) has stopped.`);
}

async function askToStop(socket: string): Promise<number | undefined> {
  const { ask } = await import('../../agent/control-client.ts');
  try {
    return (await ask(socket, { command: 'stop' }, ANSWER_MS)).pid;
  } catch (error) {
    if (error instanceof ScoutError && error.code === 'AGENT_NOT_RUNNING') return undefined;
    throw error;
  }
}

/** An agent whose socket was lost still holds its lock. Only then is the number in a file believed: numbers are used again. */
async function signalHolder(state: string, pidFile: string | undefined): Promise<number | undefined> {
  const { holder, isHeld } = await import('../../agent/state-lock.ts');
  if (!existsSync(state) || !isHeld(state)) return undefined;
  const pid = holder(state) ?? (pidFile !== undefined && existsSync(pidFile) ? Number(readFileSync(pidFile, 'latin1')) : undefined);
  if (pid === undefined || !Number.isSafeInteger(pid) || pid <= 1) return undefined;
  process.kill(pid, 'SIGTERM');
  return pid;
}

async function untilGone(pid: number): Promise<void> {
  const end = performance.now() + LIMIT_SECONDS * 1_000;
  while (isAlive(pid)) {
    if (performance.now() > end) throw new ScoutError('AGENT_STOP_TIMEOUT', { pid, seconds: LIMIT_SECONDS });
    await delay(LOOK_MS);
  }
}

/** A process that has ended stays as a zombie where nobody collects it, as in a container without an init. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch (error) {
    // Gone between the two looks; or no procfs at all, and the signal is all there is to go by.
    return !existsSync('/proc/self/stat') && (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
