import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

/** Mounts an ext4 of so many MiB on `disk`, a folder that it makes; its image lies beside. Says why not where that is not possible. */
export function mountSmallDisk(disk: string, mebibytes: number): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can mount a small file system';
  try {
    const image = `${dirname(disk)}/image`;
    const file = openSync(image, 'w');
    ftruncateSync(file, mebibytes * 2 ** 20);
    closeSync(file);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image], { stdio: 'pipe' });
    mkdirSync(disk);
    execFileSync('mount', ['-o', 'loop', image, disk], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `no small file system can be mounted here: ${String(error).split('\n')[0]}`;
  }
}
