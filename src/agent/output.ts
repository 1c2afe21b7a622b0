import type * as FFI from 'node:ffi';
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';

/** stdout and stderr: what Node itself prints when it dies, and the checker, go there. */
const STANDARD = [1, 2];

/**
 * Has stdout and stderr, where they lead to the log file (`--daemon`), follow it once it was rotated, by dup2(2) of the
 * C library, which Node has no call for. Returns what to call when the log was opened anew. Where it cannot be done
 * (another system, a Node without node:ffi) they keep to the file of the start.
 */
export function followLog(file: string): () => void {
  const followers = STANDARD.filter((fd) => isSame(fd, file));
  return () => {
    if (process.platform !== 'linux' || !followers.some((fd) => !isSame(fd, file))) return;
    try {
      // Not by an import: a Node without it would not start.
      const ffi = process.getBuiltinModule('node:ffi') as typeof FFI | undefined;
      if (!ffi) return;
      const { dup2 } = ffi.dlopen(null, { dup2: { arguments: ['i32', 'i32'], return: 'i32' } } as const).functions;
      const fresh = openSync(file, 'a', 0o640);
      for (const fd of followers) dup2(fresh, fd);
      closeSync(fresh);
    } catch {
      // The log itself is open; this is the lesser part.
    }
  };
}

function isSame(fd: number, file: string): boolean {
  try {
    const [one, other] = [fstatSync(fd), statSync(file)];
    return one.ino === other.ino && one.dev === other.dev;
  } catch {
    return false;
  }
}
