import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';

/** A FUSE file system whose server never answers, as a dead network mount: every statfs on it hangs in the kernel. */
export interface HungMount {
  path: string;
  /** Lets all that hangs return with ENOTCONN, and takes the mount away. */
  release(): void;
}

/** Why there can be no hung mount here; undefined when there can. */
export function hungMountMissing(): string | undefined {
  if (process.platform !== 'linux') return 'not Linux';
  if (process.getuid?.() !== 0) return 'needs root to mount';
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  return undefined;
}

/** Mounts one on a new folder. The connection is this process's descriptor: should it die, nothing hangs any more. */
export function mountHung(): HungMount {
  const path = mkdtempSync(join(os.tmpdir(), 'scout-hung-'));
  const fd = openSync('/dev/fuse', 'r+');
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  const mounted = spawnSync('mount', ['-i', '-t', 'fuse.hung', '-o', options, 'hung', path], { stdio: ['ignore', 'pipe', 'pipe', fd] });
  const release = () => {
    closeSync(fd);
    spawnSync('umount', ['-l', path]);
    rmdirSync(path);
  };
  if (mounted.status !== 0) {
    release();
    throw new Error(`mount: ${mounted.stderr}`);
  }
  return { path, release };
}
