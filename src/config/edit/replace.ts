import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { syncFolder } from '../../support/atomic.ts';
import { ScoutError } from '../../support/errors.ts';

/** Far longer than a copy exists before it takes its place. */
const STALE_MS = 60_000;

/** A file as it was read, to be replaced later if it is still the same. */
export interface Original {
  /** The file itself, behind any links. */
  path: string;
  text: string;
  /** A byte order mark, which is no part of the text. */
  mark: string;
  stat: BigIntStats;
}

/** Reads a file that will be changed. Throws FILE_UNREADABLE. */
export function readOriginal(file: string): Original {
  try {
    const target = realpathSync(file);
    const fd = openSync(target, 'r');
    try {
      const stat = fstatSync(fd, { bigint: true });
      const whole = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(fd));
      const mark = whole.startsWith('\ufeff') ? '\ufeff' : '';
      return { path: target, text: whole.slice(mark.length), mark, stat };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new ScoutError('FILE_UNREADABLE', { path: file, detail: codeOf(error) });
  }
}

/**
 * Replaces the text of a file in one step and durably; owner, mode and extended attributes (access lists and labels
 * among them) stay, and links to it by name too. What cannot be kept is a reason not to replace it: then `refuse` is
 * called with it, and the old file stands. Throws EDIT_RACE when the file is no longer the one that was read, FILE_UNWRITABLE.
 */
export function replaceOriginal(original: Original, text: string, refuse: (detail: string) => Error): void {
  const { path: file, mark, stat } = original;
  sweep(file);
  withCopy(original, mark + text, refuse, (copy) => {
    // Two changes within one tick of the clock have the same times.
    if (!isSame(statSync(file, { bigint: true }), stat) || readFileSync(file, 'utf8') !== mark + original.text)
      throw new ScoutError('EDIT_RACE', { path: file });
    renameSync(copy, file);
    syncFolder(path.dirname(file));
  });
}

/**
 * Does all of `replaceOriginal` but the last step, with blanks for the text, so that what would stand in its way is known
 * beforehand. Throws what it would.
 */
export function tryReplacing(original: Original, refuse: (detail: string) => Error): void {
  withCopy(original, ' '.repeat(original.text.length), refuse, () => {});
}

/** Makes a file beside the original that has another text and everything else like it; it is gone when `use` leaves it there. */
function withCopy(original: Original, text: string, refuse: (detail: string) => Error, use: (copy: string) => void): void {
  const { path: file, stat } = original;
  if (stat.nlink > 1n) throw refuse(`the file has ${stat.nlink} hard links, and the others would keep the old value`);
  if (isMountPoint(file)) throw refuse('the file is mounted by itself, so that no other can take its place; mount its folder');
  if (isImmutable(file)) throw refuse('the file is marked as one that never changes (chattr +i)');
  const copy = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}`);
  try {
    const failure = makeLike(file, copy, text);
    if (failure !== undefined) throw refuse(`its attributes could not be kept (${failure})`);
    const made = statSync(copy, { bigint: true });
    if (made.uid !== stat.uid || made.gid !== stat.gid || made.mode !== stat.mode) throw refuse('its owner or mode could not be kept');
    use(copy);
  } catch (error) {
    if (!('syscall' in (error as Error))) throw error;
    throw new ScoutError('FILE_UNWRITABLE', { path: file, detail: codeOf(error) });
  } finally {
    rmSync(copy, { force: true });
  }
}

/** Copies that a killed process left beside a file, older than any that is being made: they hold the key. */
function sweep(file: string): void {
  const folder = path.dirname(file);
  const start = `.${path.basename(file)}.`;
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(start) || !/^[0-9a-f]{12}$/.test(name.slice(start.length))) continue;
      const left = path.join(folder, name);
      if (Date.now() - statSync(left).ctimeMs > STALE_MS) rmSync(left, { force: true });
    }
  } catch {
    // A folder that cannot be read, or another who swept at the same time: no reason not to go on.
  }
}

/** Only this is refused to root so: a mode or a read-only mount is told by another code. */
function isImmutable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return false;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Docker and Kubernetes (`subPath`) mount single files; rename(2) cannot replace those. */
function isMountPoint(file: string): boolean {
  try {
    const points = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    // Blanks in a path are written as octal numbers there.
    return points.some(
      (line) => line.split(' ')[4]?.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))) === file,
    );
  } catch {
    return false;
  }
}

/**
 * Makes a new file with another text and with owner, mode and attributes of one that there is, durably; what could not be
 * kept of these is returned. Throws what the kernel says.
 */
export function makeLike(file: string, copy: string, text: string): string | undefined {
  return process.platform === 'linux' ? writeThenCopy(file, copy, text) : copyThenWrite(file, copy, text);
}

/**
 * Writes the new file closed to all others, then has cp(1) give it what the old one has: Node knows no extended
 * attributes. Named one by one, an attribute that cannot be kept is a failure of cp; it is returned.
 */
function writeThenCopy(file: string, temporary: string, text: string): string | undefined {
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    writeAll(fd, text);
    const label = existsSync('/sys/fs/selinux/enforce') ? ',context' : '';
    const args = ['--attributes-only', `--preserve=mode,ownership,xattr${label}`, '--', file, temporary];
    const { status, stderr, error } = spawnSync('cp', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
    if (status !== 0) return error ? codeOf(error) : (stderr.split('\n')[0] ?? 'cp failed');
    fsyncSync(fd);
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Copies the file with all that the system's own copying keeps, then writes into the copy. */
function copyThenWrite(file: string, temporary: string, text: string): string | undefined {
  if (process.platform === 'win32') copyFileSync(file, temporary);
  else {
    const { status, error } = spawnSync('cp', ['-p', file, temporary]);
    if (status !== 0) return error ? codeOf(error) : 'cp failed';
  }
  const fd = openSync(temporary, 'r+');
  try {
    ftruncateSync(fd);
    writeAll(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return undefined;
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

const isSame = (now: BigIntStats, then: BigIntStats): boolean =>
  now.ino === then.ino && now.dev === then.dev && now.size === then.size && now.mtimeNs === then.mtimeNs && now.ctimeNs === then.ctimeNs;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;
