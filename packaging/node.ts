import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripped } from './elf.ts';
import { lockOf } from './lock.ts';
import { root } from './root.ts';

/** Debian's names of the processors that packages are made for, and Node's, which archives and programs are named by. */
export const ARCHITECTURES = { amd64: 'x64', arm64: 'arm64' } as const;
export type Architecture = keyof typeof ARCHITECTURES;

/** The Node that goes into packages. */
export interface Node {
  version: string;
  /** The program, without symbols and debug information. */
  binary: string;
  /** The folder of the npm package that it comes from; its licence is there. */
  folder: string;
  /** The libraries that its project built into it, by the names of `process.versions`. */
  parts: Record<string, string>;
  /** Linux unless named. */
  system?: 'linux' | 'win';
}

/**
 * The pinned Node for a processor, ready for packing: `work` takes the program. Symbols and debug information, a fifth
 * of it, are left out: nothing that runs reads them.
 */
export function preparedNode(architecture: Architecture, cache: string, work: string): Node {
  const folder = pinnedNode(architecture, cache);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const parts = partsOf(version);
  const binary = join(work, `node-${architecture}`);
  writeFileSync(binary, stripped(readFileSync(join(folder, 'bin/node'))));
  chmodSync(binary, 0o755);
  return { version, binary, folder, parts };
}

/** What is built into a release of Node: the same for every system and processor. Throws where another one builds. */
export function partsOf(version: string): Record<string, string> {
  if (process.versions.node !== version) throw new Error(`packages are built by Node ${version}, and this is ${process.versions.node}`);
  const { node: _, ...versions } = process.versions;
  return Object.fromEntries(Object.entries(versions).filter((one): one is [string, string] => Boolean(one[1])));
}

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
