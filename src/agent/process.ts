import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ownArguments, single, WORD } from '../support/self.ts';

/**
 * V8 as an interpreter with small spaces and one helping thread: compilers and parallel collection cost a process
 * that works a few milliseconds every ten seconds more than they save, in memory and in time (bench/agent.ts). What
 * was compiled to bytecode stays, or every sample would begin by compiling it anew. Without compilers, nothing needs
 * memory that is both writable and executable. A pool of 0 would be a thread for every processor but one (node(1)),
 * which on a large host is more than the unit's TasksMax= allows. When an old
 * heap is collected is for tidy.ts to say, not for V8's own clock, which comes to it late or never.
 */
const V8_FLAGS = [
  '--jitless',
  '--no-flush-bytecode',
  '--single-threaded-gc',
  '--v8-pool-size=1',
  '--max-semi-space-size=1',
  '--no-memory-reducer',
  '--expose-gc',
];

/**
 * SIGUSR1 would open a debugger on loopback, through which every local user could read the key. That node:ffi is
 * experimental (notify-socket.ts does without it where it must) is nothing for a host's log.
 */
const NODE_FLAGS = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning'];

/**
 * glibc's malloc(3): one heap for all threads, where Node's helpers each get one of their own otherwise; and what is
 * freed goes back to the kernel at once, such as the buffers of a compression (together about 1.5 MB; bench/agent.ts).
 * Other libraries of C pass over these.
 */
const MALLOC = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '32768',
  MALLOC_TRIM_THRESHOLD_: '16384',
  MALLOC_TOP_PAD_: '16384',
};

/** How the daemon's process is started. */
export interface DaemonCommand {
  /** Arguments for `process.execPath`. */
  args: string[];
  env: NodeJS.ProcessEnv;
}

/** Whether the daemon has a process of its own make here; elsewhere it runs in the one that the launcher began. */
const LEAN = process.platform === 'linux';

/** The command that runs the daemon: `program` is the launcher (for its checker), `args` are those of `run`. */
export function daemonCommand(program: string, args: string[], env: NodeJS.ProcessEnv = process.env): DaemonCommand {
  if (!LEAN) return { args: ownArguments(program, ['run', ...args]), env };
  const flags = [...V8_FLAGS, ...NODE_FLAGS];
  if (single) return { args: [`--node-options=${flags.join(' ')}`, WORD.daemon, program, ...args], env: { ...MALLOC, ...env } };
  const bundled = fileURLToPath(new URL('daemon.cjs', import.meta.url));
  const entry = existsSync(bundled) ? bundled : fileURLToPath(new URL('daemon.ts', import.meta.url));
  return { args: [...flags, entry, program, ...args], env: { ...MALLOC, ...env } };
}

/**
 * Turns this process into the daemon, under the same process id. Descriptors above 2 do not survive.
 */
export async function becomeDaemon(args: string[]): Promise<void> {
  const program = process.argv[1] as string;
  if (LEAN && process.execve) {
    const command = daemonCommand(program, args);
    process.execve(process.execPath, ['scout-agent', ...command.args], command.env);
  }
  const { runAgent } = await import('./main.ts');
  await runAgent(program, args);
}
