import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { unpackedSize } from './windows/zip.ts';

/** What a package takes once it is installed, in bytes: the sum of its files. */
function installed(path: string): number {
  const ask = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { encoding: 'utf8', maxBuffer: 16 << 20, stdio: ['ignore', 'pipe', 'inherit'] });
  const sum = (listing: string): number => listing.split('\n').reduce((all, line) => all + Number(line.split(/\s+/)[2] ?? 0), 0);
  switch (extname(path)) {
    case '.deb':
      return sum(ask('sh', '-c', 'dpkg-deb --fsys-tarfile "$0" | tar -tv', path));
    case '.rpm':
      return Number(ask('rpm', '-qp', '--qf', '%{LONGSIZE}', path));
    case '.gz':
    case '.tgz':
    case '.xz':
      return sum(ask('tar', '-tvf', path));
    case '.zip':
      return unpackedSize(readFileSync(path));
    default:
      return statSync(path).size;
  }
}

/** The sizes of packages, packed and installed, as a table for people (MB are 10^6 bytes). */
export function table(paths: string[]): string {
  const width = Math.max(...paths.map((path) => basename(path).length));
  const mega = (bytes: number): string => (bytes / 1e6).toFixed(1).padStart(10);
  const rows = paths.map((path) => `${basename(path).padEnd(width)} ${mega(statSync(path).size)} ${mega(installed(path))}`);
  return [`${'package'.padEnd(width)}  packed MB  installed`, ...rows].join('\n');
}
