import { spawn } from 'node:child_process';
import type { Config } from '../config/schema.ts';
import { detailOf, EXIT, type Problem, ScoutError } from '../support/errors.ts';
import { ownArguments } from '../support/self.ts';

/** A key of the keyring, opened, in the settings that it is sent by. */
export interface Candidate {
  slot: 'current' | 'next' | 'previous' | 'quarantine';
  api: Config['api'];
  /** Fingerprint of a key that the service ended when it took this one, by the journal of the rotation under way. */
  ended?: string;
}

/** What the checker hands back over its pipe. */
export interface Checked {
  file: string | null;
  problems: Problem[];
  /** Files and folders whose change calls for another check. */
  watch: string[];
  /** Resolved, secrets opened; absent when a problem is an error. */
  config?: Config;
  /** Keys to fall back on when the service refuses the configured one; with `config` only, as what follows. */
  candidates?: Candidate[];
  /** Which host key opens here what is sealed on this machine; null: none. */
  host_key?: string | null;
  /** The environment variable that the configured key comes from; null: it stands in a file. */
  key_variable?: string | null;
}

/** What the checker found, and the exit status that fits when it found no usable configuration. */
export interface CheckResult {
  checked: Checked | undefined;
  exit: number;
}

/**
 * Has a child read, validate and open the configuration: the code of `--check-config`, in a process that ends. So a
 * file that breaks a parser cannot break the one that lives for months, and no parser stays in its memory. The
 * answer, with its secrets, crosses a pipe and touches neither arguments, environment nor disk.
 *
 * `program` is the launcher, `args` are the arguments of `run`; the child parses them. Throws INTERNAL when the child dies without an answer.
 */
export async function runChecker(program: string, args: string[]): Promise<CheckResult> {
  const child = spawn(process.execPath, ownArguments(program, ['resolve-config', ...args]), {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdio[3]?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', reject);
  child.once('close', (code, signal) => (code === null ? reject(new Error(`the checker ended by ${signal}`)) : resolve(code)));
  let exit: number;
  try {
    exit = await promise;
  } catch (error) {
    throw new ScoutError('INTERNAL', { detail: detailOf(error) }, {}, { cause: error });
  }
  if (chunks.length === 0) return { checked: undefined, exit: exit === EXIT.done ? EXIT.failed : exit };
  return { checked: JSON.parse(Buffer.concat(chunks).toString('utf8')) as Checked, exit };
}
