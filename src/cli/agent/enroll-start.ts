import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { CONTROL_SOCKET, type HeartbeatReport } from '../../agent/control.ts';
import { ask } from '../../agent/control-client.ts';
import type { Config } from '../../config/schema.ts';
import { ScoutError } from '../../support/errors.ts';

/** How the service came to run with a new configuration, and what became of its first heartbeat. */
export interface Begun {
  service: 'started' | 'running';
  heartbeat: HeartbeatReport;
}

const UNIT = 'scout-agent.service';
const ASK_MS = 2_000;
/** Longer than the unit's own limits for ending one agent and starting another. */
const SYSTEMCTL_MS = 90_000;
const RELOAD_MS = 30_000;
/** The agent gives up waiting for the service before this. */
const HEARTBEAT_MS = 75_000;

/**
 * Has the service of systemd run with the configuration that was written, now and after each boot, and send a heartbeat:
 * starts it, or has the one that runs read anew. Throws ENROLL_START, and what the agent says against a heartbeat.
 */
export async function beginService({ runtime_dir }: Config): Promise<Begun> {
  const socket = join(runtime_dir, CONTROL_SOCKET);
  await systemctl('enable', '--quiet', UNIT);
  const runs = await isRunning(runtime_dir);
  if (runs) await ask(socket, { command: 'reload' }, RELOAD_MS);
  // Also one that runs and does not answer.
  else await systemctl('restart', UNIT);
  return { service: runs ? 'running' : 'started', heartbeat: await ask(socket, { command: 'heartbeat' }, HEARTBEAT_MS) };
}

/** Whether an agent answers. */
export async function isRunning(runtimeDir: string): Promise<boolean> {
  return ask(join(runtimeDir, CONTROL_SOCKET), { command: 'status' }, ASK_MS).then(
    () => true,
    () => false,
  );
}

function systemctl(...args: string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  execFile('systemctl', args, { timeout: SYSTEMCTL_MS, encoding: 'utf8' }, (error, _stdout, stderr) => {
    if (!error) return resolve();
    const said = stderr.trim().split('\n')[0] || (error.killed ? `no end of it within ${SYSTEMCTL_MS / 1_000} s` : error.message);
    reject(new ScoutError('ENROLL_START', { command: `systemctl ${args[0]} ${UNIT}`, detail: said }, {}, { cause: error }));
  });
  return promise;
}
