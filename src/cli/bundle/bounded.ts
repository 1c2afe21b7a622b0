import { spawn } from 'node:child_process';
import { open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { detailOf } from '../../support/errors.ts';

/** What a step brought: some text, and how it ended. */
export interface Gathered {
  text: Buffer;
  /** What went wrong, or how a command ended that did not end with 0. */
  problem?: string;
  /** Whether there was more of it. */
  cut?: boolean;
}

/** Most bytes of one file of a bundle. */
export const MOST_FILE_BYTES = 2 << 20;
/** How long a killed command may take to be gone; one that hangs in the kernel is not waited for. */
const GONE_MS = 500;

/** Runs a command for `ms` at most, and takes what it said: its output, or where there was none what it complained of. */
export async function runBounded(command: string, args: string[], ms: number): Promise<Gathered> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, complained] = [new Taken(), new Taken()];
  child.stdout.on('data', (chunk: Buffer) => said.take(chunk));
  child.stderr.on('data', (chunk: Buffer) => complained.take(chunk));
  const ended = new Promise<string | undefined>((done) => {
    child.once('error', (error) => done(detailOf(error)));
    child.once('close', (code, signal) => done(code === 0 ? undefined : code === null ? `ended by ${signal}` : `exit ${code}`));
  });
  let problem = await within(ended, ms);
  if (problem === LATE) {
    child.kill('SIGKILL');
    await within(ended, GONE_MS);
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
    problem = `no end of it within ${ms} ms; killed`;
  }
  // Of our own commands the code says more than the status does.
  const code = problem && /\berror ([A-Z]+(?:_[A-Z]+)+): /.exec(complained.whole().toString('utf8'))?.[1];
  if (code) problem = `${problem} (${code})`;
  const taken = said.bytes > 0 ? said : complained;
  return { text: taken.whole(), cut: taken.cut, ...(problem && { problem }) };
}

/** Does something of our own for `ms` at most; what hangs is left hanging (`late` is called then). */
export async function doBounded(work: () => Promise<Gathered>, ms: number, late: () => void): Promise<Gathered> {
  try {
    const done = await within(work(), ms);
    if (done !== LATE) return done;
    late();
    return { text: Buffer.alloc(0), problem: `no end of it within ${ms} ms` };
  } catch (error) {
    return { text: Buffer.alloc(0), problem: detailOf(error) };
  }
}

/** The last lines of a file, up to `most` bytes. Throws what the system says; of anything but a file it reads nothing. */
export async function lastLines(path: string, most: number): Promise<Gathered> {
  const { size } = await plainFile(path);
  const file = await open(path, 'r');
  try {
    const from = Math.max(0, size - most);
    const bytes = Buffer.alloc(size - from);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
    const read = bytes.subarray(0, bytesRead);
    // Half a line could hold half a secret.
    const text = from === 0 ? read : read.subarray(read.indexOf(0x0a) + 1);
    return { text, cut: from > 0 };
  } finally {
    await file.close();
  }
}

async function plainFile(path: string) {
  const found = await stat(path);
  if (!found.isFile()) throw new Error(`${path} is no file`);
  return found;
}

const LATE = Symbol('late');

function within<T>(work: Promise<T>, ms: number): Promise<T | typeof LATE> {
  const stop = new AbortController();
  const timer = delay(Math.max(0, ms), LATE, { signal: stop.signal }).catch(() => LATE) as Promise<typeof LATE>;
  return Promise.race([work, timer]).finally(() => stop.abort());
}

/** The beginning of a stream. */
class Taken {
  #chunks: Buffer[] = [];
  bytes = 0;
  cut = false;

  take(chunk: Buffer): void {
    if (this.bytes >= MOST_FILE_BYTES) {
      this.cut = true;
      return;
    }
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** Whole lines, where not all was taken. */
  whole(): Buffer {
    const all = Buffer.concat(this.#chunks);
    return this.cut ? all.subarray(0, all.lastIndexOf(0x0a) + 1) : all;
  }
}
