import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { example } from '../program.ts';

/** Options of `run`, which `--daemon` and `heartbeat` hand on to it. */
export interface RunOptions {
  config?: string;
  stateDir?: string;
  runtimeDir?: string;
  logFile?: string;
  logLevel?: string;
}

/** Parses a path. An empty one, as from a variable that is not set, would lead to the working folder, or to the default. */
export function notEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('It is empty.');
  return text;
}

/** Declares the options by which an agent finds its configuration and folders. */
export function folderOptions(command: Command): Command {
  return command
    .option('--config <path>', 'read this configuration')
    .option('--state-dir <dir>', 'folder of the outbox and all else that must survive', notEmpty)
    .option('--runtime-dir <dir>', 'folder of the control socket', notEmpty);
}

/** Declares the options of a verb that reads what lies in the state folder, `what` of it; `line` is its example. */
export function storedOptions(command: Command, what: string, line: string): Command {
  return example(
    command
      .option('--config <path>', 'read this configuration')
      .option('--state-dir <dir>', `folder of the ${what}`, notEmpty)
      .option('--json', 'print one JSON document'),
    line,
  );
}

/** Declares where an agent logs, and how much. */
export function logOptions(command: Command): Command {
  return command
    .option('--log-file <file>', 'log there, in place of standard error', notEmpty)
    .addOption(new Option('--log-level <level>', 'least severity logged').choices(['trace', 'debug', 'info', 'warn', 'error']));
}

/** The arguments of `run` for these options, with paths that hold in any working folder. */
export function runArguments({ config, stateDir, runtimeDir, logFile, logLevel }: RunOptions): string[] {
  const path = (name: string, value: string | undefined) => (value === undefined ? [] : [name, resolve(value)]);
  return [
    ...path('--config', config),
    ...path('--state-dir', stateDir),
    ...path('--runtime-dir', runtimeDir),
    ...path('--log-file', logFile),
    ...(logLevel === undefined ? [] : ['--log-level', logLevel]),
  ];
}
