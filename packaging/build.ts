/**
 * `npm run package`: builds the Debian packages of scout-agent and scout-hub into artefacts/packages, with their
 * checksums. `--arch amd64,arm64`, `--only scout-hub`, `--version 1.2.3`, `--out DIR`, `--compression none`.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../scripts/build.ts';
import { buildDeb, type Deb } from './deb.ts';
import { ARCHITECTURES, type Architecture } from './node.ts';
import { PROGRAMS } from './programs.ts';
import { root, sourceDate } from './root.ts';

export interface Wanted {
  out: string;
  version: string;
  architectures?: Architecture[];
  /** Names of programs; both unless given. */
  only?: string[];
  compression?: Deb['compression'];
}

/** Builds packages and SHA256SUMS into a folder, and returns their paths. */
export async function buildPackages({
  out,
  version,
  architectures = ['amd64', 'arm64'],
  only,
  compression = 'xz',
}: Wanted): Promise<string[]> {
  const date = sourceDate();
  const work = mkdtempSync(join(os.tmpdir(), 'scout-package-'));
  try {
    mkdirSync(out, { recursive: true });
    const bundles = join(work, 'dist');
    const inside = await bundle({ out: bundles, version });
    const paths: string[] = [];
    for (const program of PROGRAMS.filter(({ name }) => !only || only.includes(name)))
      for (const architecture of architectures) {
        const folder = join(work, `${program.name}-${architecture}`);
        mkdirSync(folder);
        const libraries = inside[program.bundle];
        const cache = join(root, 'artefacts/nodes');
        paths.push(await buildDeb({ program, architecture, version, date, bundles, libraries, cache, work: folder, out, compression }));
        rmSync(folder, { recursive: true });
      }
    const sums = paths.map((path) => `${createHash('sha256').update(readFileSync(path)).digest('hex')}  ${basename(path)}\n`);
    writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
    return paths;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', default: Object.keys(ARCHITECTURES).join(',') },
      only: { type: 'string' },
      version: { type: 'string', default: manifest.version },
      out: { type: 'string', default: join(root, 'artefacts/packages') },
      compression: { type: 'string', default: 'xz' },
    },
  });
  const made = await buildPackages({
    out: resolve(values.out),
    version: values.version,
    architectures: values.arch.split(',') as Architecture[],
    ...(values.only && { only: values.only.split(',') }),
    compression: values.compression as Deb['compression'],
  });
  for (const path of made) process.stdout.write(`${path}  ${(statSync(path).size / 1e6).toFixed(1)} MB\n`);
}
