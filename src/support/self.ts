import { isSea } from 'node:sea';

/** Whether this is the single executable, in which Node and program are one file (packaging/sea). */
export const single: boolean = isSea();

/** The single executable's words for what no verb does; its main.cjs knows them. */
export const WORD = { daemon: 'daemon-process', nothing: 'nothing' };

/**
 * Arguments for `process.execPath` that run this program again: `program` is the launcher, which the single executable
 * does not have. There, what forbids V8 its compilers is handed on, since the unit that asks for it cannot by
 * NODE_OPTIONS.
 */
export function ownArguments(program: string, args: string[]): string[] {
  if (!single) return [program, ...args];
  return process.execArgv.includes('--jitless') ? ['--node-options=--jitless', ...args] : args;
}
