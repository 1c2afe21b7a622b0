import type { ResolveOptions } from './resolve.ts';

/** Options of the command line that bear on the configuration, as commander names them. */
export interface CommandOptions {
  config?: string;
  stateDir?: string;
  runtimeDir?: string;
  logLevel?: string;
  logFile?: string;
}

/** What `resolveConfig` takes, for a command of this process. */
export function resolveOptions(options: CommandOptions, env: NodeJS.ProcessEnv = process.env): ResolveOptions {
  const overrides = Object.entries({
    state_dir: options.stateDir,
    runtime_dir: options.runtimeDir,
    'log.level': options.logLevel,
    'log.file': options.logFile,
  }).filter(([, value]) => value !== undefined);
  return {
    ...(options.config !== undefined && { file: options.config }),
    env,
    uid: process.getuid?.() ?? -1,
    overrides: Object.fromEntries(overrides),
  };
}
