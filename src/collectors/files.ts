import fs from 'node:fs';
import type { Host } from '../support/host.ts';
import { Probes, type Space } from './probes.ts';

/** Samples for which a file that was not there is not looked for again, and an open one is kept though nobody reads it. */
const MEMORY = 60;
/** Descriptors of processes kept open: each costs the kernel a page. */
const MOST_KEPT = 160;
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENXIO', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP']);

/** Thrown where a machine has nothing of what a collector is about; no failure. */
export class Unsupported extends Error {}

/** Whether an error means that this kernel or machine has no such thing, rather than that reading it failed. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Unsupported || ABSENT.has((error as NodeJS.ErrnoException)?.code ?? '');
}

/** Whether an error means that this user may not, rather than that there is nothing. */
export function isDenied(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EACCES' || code === 'EPERM';
}

/** statfs(2), as Node has it; tests bring their own. */
export interface Statfs {
  now(path: string): Space;
  later(path: string): Promise<Space>;
}

const STATFS: Statfs = { now: (path) => fs.statfsSync(path), later: (path) => fs.promises.statfs(path) };

/**
 * The kernel's files as the collectors of one runner read them: descriptors stay open and are read again from offset
 * 0, where procfs and sysfs generate the text anew (a read costs about half of open, read and close); a file that
 * several collectors want is read once a sample; everything passes through one buffer. Text is decoded as latin1.
 */
export class Files {
  /** Space of a file system that answers at once. */
  readonly space: (path: string) => Space;
  /** Asks file systems that may hang; here, so that what hangs is known for as long as the process lives. */
  readonly probes: Probes;
  #buffer = Buffer.allocUnsafeSlow(32_768);
  readonly #open = new Map<string, { fd: number; used: number }>();
  readonly #texts = new Map<string, string>();
  readonly #missing = new Map<string, { error: unknown; until: number }>();
  #sample = 0;

  constructor(statfs: Statfs = STATFS) {
    this.space = statfs.now;
    this.probes = new Probes(statfs.later);
  }

  /** Begins a sample: what was read before is read anew. */
  next(): void {
    this.#sample++;
    this.#texts.clear();
    if (this.#sample % MEMORY === 0) this.#forget();
  }

  /** Ends a sample: its texts are let go, which V8 would take for long-lived before the next one clears them. */
  done(): void {
    this.#texts.clear();
  }

  /** Text of a file, read once a sample. Throws the error of the system when it cannot be read. */
  text(path: string): string {
    const known = this.#texts.get(path);
    if (known !== undefined) return known;
    const missing = this.#missing.get(path);
    if (missing && this.#sample < missing.until) throw missing.error;
    try {
      const text = this.#read(path);
      this.#texts.set(path, text);
      return text;
    } catch (error) {
      if (isAbsent(error)) this.#missing.set(path, { error, until: this.#sample + MEMORY });
      throw error;
    }
  }

  /** Like `text`; undefined where the kernel has no such file. */
  optional(path: string): string | undefined {
    try {
      return this.text(path);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /**
   * A short file that is read whole by one call: PID/stat. Undefined when it is gone. With `keep` its descriptor stays
   * open while there are not too many; `drop` gives it back.
   */
  brief(path: string, keep = false): string | undefined {
    const kept = this.#open.get(path);
    if (kept) {
      kept.used = this.#sample;
      const text = this.#piece(kept.fd);
      if (text !== undefined) return text;
      this.drop(path);
    }
    let fd: number;
    try {
      fd = fs.openSync(path, 'r');
    } catch {
      return undefined;
    }
    const text = this.#piece(fd);
    if (keep && text !== undefined && this.#open.size < MOST_KEPT) this.#open.set(path, { fd, used: this.#sample });
    else fs.closeSync(fd);
    return text;
  }

  /** Closes a file that was kept open. */
  drop(path: string): void {
    const kept = this.#open.get(path);
    if (!kept) return;
    this.#open.delete(path);
    fs.closeSync(kept.fd);
  }

  /**
   * Reads a long file piece by piece, each but the last ending with a newline, and stops after `most` bytes.
   * Returns whether it came to the end.
   */
  pieces(path: string, most: number, visit: (text: string) => void): boolean {
    const fd = fs.openSync(path, 'r');
    try {
      let rest = '';
      for (let total = 0; total < most; ) {
        const length = fs.readSync(fd, this.#buffer, 0, this.#buffer.length, null);
        if (length === 0) {
          if (rest) visit(rest);
          return true;
        }
        total += length;
        const text = rest + this.#buffer.toString('latin1', 0, length);
        const end = text.lastIndexOf('\n') + 1;
        visit(text.slice(0, end));
        rest = text.slice(end);
      }
      return false;
    } finally {
      fs.closeSync(fd);
    }
  }

  close(): void {
    for (const { fd } of this.#open.values()) fs.closeSync(fd);
    this.#open.clear();
    this.#texts.clear();
  }

  /** Interfaces and sensors come and go; what they left behind must not gather. */
  #forget(): void {
    for (const [path, { fd, used }] of this.#open) {
      if (this.#sample - used < MEMORY) continue;
      this.#open.delete(path);
      fs.closeSync(fd);
    }
    for (const [path, { until }] of this.#missing) if (until <= this.#sample) this.#missing.delete(path);
  }

  #read(path: string): string {
    const kept = this.#open.get(path);
    if (kept !== undefined) {
      kept.used = this.#sample;
      try {
        return this.#readFrom(kept.fd);
      } catch {
        // ESTALE, ENODEV, EBADF: what it was opened on is gone; it may have come back under the same name.
        this.drop(path);
      }
    }
    const fd = fs.openSync(path, 'r');
    try {
      const text = this.#readFrom(fd);
      this.#open.set(path, { fd, used: this.#sample });
      return text;
    } catch (error) {
      fs.closeSync(fd);
      // What read(2) refuses has no name yet.
      throw Object.assign(error as Error, { path });
    }
  }

  #piece(fd: number): string | undefined {
    try {
      return this.#buffer.toString('latin1', 0, fs.readSync(fd, this.#buffer, 0, this.#buffer.length, 0));
    } catch {
      return undefined;
    }
  }

  /** A seq_file answers about a page at a time, so one short read is not the end. */
  #readFrom(fd: number): string {
    let length = 0;
    for (;;) {
      if (length === this.#buffer.length) {
        const larger = Buffer.allocUnsafeSlow(this.#buffer.length * 2);
        this.#buffer.copy(larger);
        this.#buffer = larger;
      }
      const got = fs.readSync(fd, this.#buffer, length, this.#buffer.length - length, length);
      if (got === 0) return this.#buffer.toString('latin1', 0, length);
      length += got;
    }
  }
}

/** Folder of the network files of the host: of its first process where its procfs is mounted elsewhere, since `self` is then the container. */
export function netFolder(host: Host): string {
  return host.proc === '/proc' ? '/proc/net' : `${host.proc}/1/net`;
}

/** Whether `name` is one of `patterns`, in which `*` matches any text. */
export function matcher(patterns: string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => false;
  const source = patterns.map((pattern) => pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')).join('|');
  const expression = new RegExp(`^(?:${source})$`, 's');
  return (name) => expression.test(name);
}
