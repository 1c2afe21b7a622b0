import { join, resolve } from 'node:path';
import { CONTROL_SOCKET } from '../../agent/control.ts';
import type { Resolution } from '../../config/resolved.ts';
import { ScoutError } from '../../support/errors.ts';
import type { RunOptions } from './run-options.ts';

/** Where the agent of a configuration is found while it runs. */
export interface Places {
  socket: string;
  state: string;
  /** The service it reports to; undefined where there is no configuration. */
  endpoint: string | undefined;
}

/**
 * Finds the running agent's folders: those named, else the configuration's, else the defaults. A configuration with
 * faults still tells its folders, because an agent that was started with it before must be found all the same.
 */
export async function findPlaces({ config, stateDir, runtimeDir }: RunOptions): Promise<Places> {
  const [{ resolveConfig }, { defaultFolders }] = await Promise.all([import('../../config/resolve.ts'), import('../../config/folders.ts')]);
  const uid = process.getuid?.() ?? 0;
  const resolution = resolveConfig({ ...(config !== undefined && { file: config }), env: process.env, uid });
  // Which folders it names cannot be told, and others are not what was asked for.
  const unread = resolution.problems.find(({ code }) => code === 'CONFIG_MISSING_FILE' || code === 'FILE_UNREADABLE');
  if (unread && (stateDir === undefined || runtimeDir === undefined)) throw ScoutError.of(unread);
  const defaults = defaultFolders(process.env, uid);
  const state = stateDir ?? resolution.config?.state_dir ?? text(resolution, 'state_dir') ?? defaults.state;
  const runtime = runtimeDir ?? resolution.config?.runtime_dir ?? text(resolution, 'runtime_dir') ?? defaults.runtime;
  return {
    socket: join(resolve(runtime), CONTROL_SOCKET),
    state: resolve(state),
    endpoint: resolution.config?.api.endpoint ?? text(resolution, 'api.endpoint'),
  };
}

function text(resolution: Resolution, name: string): string | undefined {
  const value = resolution.values.find((one) => one.name === name)?.value;
  return typeof value === 'string' ? value : undefined;
}
