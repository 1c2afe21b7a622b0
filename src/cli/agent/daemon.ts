import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Started } from '../../agent/daemonize.ts';
import type { ReadyMessage } from '../../agent/ready.ts';
import { detailOf, ERRORS, formatProblem, type Problem, ScoutError } from '../../support/errors.ts';
import { out, paint } from '../output.ts';
import { type RunOptions, runArguments } from './run-options.ts';

export interface DaemonOptions extends RunOptions {
  pidFile?: string;
}

/**
 * `--daemon`: starts the agent in the background, or, started by systemd, becomes it. Returns the exit status; throws
 * ScoutError. In the foreground it returns when the agent does.
 */
export async function daemon(options: DaemonOptions): Promise<number> {
  if (startedBySystemd(process.env)) {
    writePidFile(options.pidFile, process.pid);
    const { becomeDaemon } = await import('../../agent/process.ts');
    await becomeDaemon(runArguments(options));
    return Number(process.exitCode ?? 0);
  }
  const { resolveConfig } = await import('../../config/resolve.ts');
  const { config: file, stateDir, runtimeDir, logFile } = options;
  const resolution = resolveConfig({ ...(file !== undefined && { file }), env: process.env, uid: process.getuid?.() ?? 0 });
  if (!resolution.config) return tell(resolution.problems);
  const state = resolve(stateDir ?? resolution.config.state_dir);
  const log = resolve(logFile ?? resolution.config.log.file ?? join(state, 'agent.log'));
  const { startInBackground } = await import('../../agent/daemonize.ts');
  const socket = join(resolve(runtimeDir ?? resolution.config.runtime_dir), 'control.sock');
  // Before anything runs: an agent whose number cannot be written down is not one that was asked for.
  const takeBack = reservePidFile(options.pidFile);
  let started: Started | undefined;
  try {
    started = await startInBackground({ args: runArguments({ ...options, logFile: log }), log, socket });
  } finally {
    if (!started?.message.ready) takeBack();
  }
  const { pid, message } = started;
  if (!message.ready) {
    tell(message.problems);
    return message.exit;
  }
  try {
    writePidFile(options.pidFile, pid);
  } catch (error) {
    process.kill(pid, 'SIGTERM');
    throw error;
  }
  out.line(sentence(pid, message));
  return 0;
}

/**
 * Whether systemd itself started this very process. $INVOCATION_ID alone does not tell: everything that a service
 * starts inherits it, a login shell or a CI job as well.
 */
export function startedBySystemd(env: NodeJS.ProcessEnv, pid = process.pid, parent = process.ppid): boolean {
  if (env.SYSTEMD_EXEC_PID === String(pid)) return true;
  return parent === 1 && Boolean(env.INVOCATION_ID || env.NOTIFY_SOCKET);
}

function sentence(pid: number, message: ReadyMessage & { ready: true }): string {
  const { state, endpoint, fingerprint, detail } = message;
  const key = fingerprint ? ` with key ${fingerprint}` : '';
  if (state === 'accepted') return `scout-agent runs as process ${pid}: first heartbeat accepted by ${endpoint}${key}.`;
  return `scout-agent runs as process ${pid}: first heartbeat kept in the outbox, as ${endpoint} is out of reach (${detail ?? 'no reason given'}).`;
}

/** Prints every problem; the first error decides the exit status. */
function tell(problems: Problem[]): number {
  for (const one of problems) out.note(paint(one.severity === 'error' ? 'red' : 'yellow', formatProblem(one), process.stderr));
  const first = problems.find((one) => one.severity === 'error');
  return first ? ERRORS[first.code].exit : 1;
}

/** Makes the file where it is not there; returns how to take it back. Throws FILE_UNWRITABLE. */
function reservePidFile(path: string | undefined): () => void {
  if (path === undefined) return () => {};
  const made = !existsSync(path);
  try {
    closeSync(openSync(path, 'a', 0o644));
  } catch (error) {
    throw new ScoutError('FILE_UNWRITABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
  return () => made && rmSync(path, { force: true });
}

function writePidFile(path: string | undefined, pid: number): void {
  if (path === undefined) return;
  try {
    writeFileSync(path, `${pid}\n`, { mode: 0o644 });
  } catch (error) {
    throw new ScoutError('FILE_UNWRITABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
}
