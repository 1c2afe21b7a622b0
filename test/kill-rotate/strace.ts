import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { AGENT } from '../helpers/programs.ts';

/*
 * A command that is killed at a system call of its own choosing. strace(1) follows the main thread alone, where all files
 * and sockets are handled: so the n-th call of a name is the same one each time, or one near it, since threads are woken and
 * the agent is asked now more often and now less. The signal is delivered on the way into the call, which is then not
 * carried out.
 */

/** V8's helper threads make the main one wake them, now more often and now less. */
const FLAGS = ['--v8-pool-size=0'];

const CALLS = [
  'openat,write,pwrite64,writev,fsync,fdatasync,ftruncate',
  'rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir',
  'chmod,fchmod,fchmodat,chown,fchown,fchownat,fcntl',
  'connect,sendto,sendmsg,sendmmsg,shutdown,close,epoll_pwait,clone,clone3,vfork',
].join(',');

/** One call of a run, as it was traced. */
export interface Call {
  name: string;
  /** Which one of this name it is, from 1: strace counts each name by itself. */
  number: number;
  text: string;
}

export interface Killed {
  /** `killed`, or the exit status of a command that came to its end. */
  how: 'killed' | number;
  stdout: string;
  stderr: string;
}

/** Every call of the main thread in one run of a command that is not killed. */
export async function trace(args: string[], input: string, file: string): Promise<{ calls: Call[]; done: Killed }> {
  const done = await strace(['-y', '-o', file], args, input);
  const lines = readFileSync(file, 'latin1').split('\n');
  rmSync(file);
  const counts = new Map<string, number>();
  const calls = lines.flatMap((text) => {
    const name = /^(\w+)\(/.exec(text)?.[1];
    if (name === undefined) return [];
    const number = (counts.get(name) ?? 0) + 1;
    counts.set(name, number);
    return [{ name, number, text }];
  });
  return { calls, done };
}

/** Runs a command and kills it on its way into a call. */
export function killAt({ name, number }: Pick<Call, 'name' | 'number'>, args: string[], input: string): Promise<Killed> {
  return strace(['-o', '/dev/null', '-e', `inject=${name}:signal=KILL:when=${number}`], args, input);
}

/** Runs a command and has one of its calls fail, with an error of the kernel's. */
export function failAt({ name, number }: Pick<Call, 'name' | 'number'>, error: string, args: string[], input = ''): Promise<Killed> {
  return strace(['-o', '/dev/null', '-e', `inject=${name}:error=${error}:when=${number}`], args, input);
}

/**
 * The calls before which a kill can matter: those that change a file under `folder` or say something to another process,
 * and the wait for an answer to that. All others change nothing, so that a kill there is as one at the next of these.
 */
export function decisive(calls: Call[], folder: string): Call[] {
  let spoke = false;
  return calls.filter(({ text }) => {
    const socket = /^\w+\(\d+<(socket|TCP|UNIX)/.test(text);
    const speaks = /^(connect|sendto|sendmsg|sendmmsg)\(/.test(text) || (socket && /^(write|writev)\(/.test(text));
    const waits = spoke && text.startsWith('epoll_pwait(');
    if (speaks || waits) spoke = speaks;
    const touches = text.includes(folder) && !/^(close|fcntl)\(/.test(text) && !/^openat\(.*O_RDONLY/.test(text);
    return speaks || waits || touches || /^(vfork|clone)\(/.test(text);
  });
}

function strace(options: string[], args: string[], input: string): Promise<Killed> {
  return new Promise((resolve) => {
    const all = ['-qq', '-e', 'signal=none', '-e', `trace=${CALLS}`, ...options, process.execPath, ...FLAGS, AGENT, ...args];
    const child = execFile('strace', all, { encoding: 'utf8', maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const how = error ? (error.signal === 'SIGKILL' || error.code === 137 ? 'killed' : Number(error.code)) : 0;
      resolve({ how, stdout, stderr });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
