import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.ts';

/** Debian's names of the processors that packages are made for, and npm's. */
export const ARCHITECTURES = { amd64: 'x64', arm64: 'arm64' } as const;
export type Architecture = keyof typeof ARCHITECTURES;

/**
 * The folder of the npm package with the pinned Node for a processor: the one that was installed with the dependencies,
 * or, for another processor, one that is fetched, held to the checksum in package-lock.json, and kept in `cache`.
 */
export function pinnedNode(architecture: Architecture, cache: string): string {
  const name = `node-linux-${ARCHITECTURES[architecture]}`;
  const installed = join(root, 'node_modules', name);
  if (existsSync(join(installed, 'bin/node'))) return installed;
  const { version, integrity } = lockOf(name);
  const kept = join(cache, `${name}-${version}`);
  if (existsSync(kept)) return kept;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, '.fetch-'));
  try {
    execFileSync('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', work], { stdio: ['ignore', 'ignore', 'inherit'] });
    const archive = join(work, `${name}-${version}.tgz`);
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== integrity) throw new Error(`${name} ${version} is not the one in package-lock.json: its checksum is ${found}`);
    execFileSync('tar', ['-xzf', archive, '-C', work, 'package/package.json', 'package/LICENSE', 'package/bin/node']);
    renameSync(join(work, 'package'), kept);
    return kept;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function lockOf(name: string): { version: string; integrity: string } {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const found = lock.packages[`node_modules/${name}`];
  if (!found) throw new Error(`package-lock.json has no ${name}`);
  return found;
}
