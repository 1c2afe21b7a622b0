/**
 * `npm run package`: builds scout-agent and scout-hub in every form into artefacts/packages, with bills of materials and
 * checksums, and tells their sizes. `--formats deb,rpm,tar,sea,npm,zip`, `--arch amd64,arm64`, `--only scout-hub`,
 * `--version 1.2.3`, `--out DIR`, `--compression none`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../scripts/build.ts';
import { buildDeb } from './deb.ts';
import type { Compression, Contents, Job } from './layout.ts';
import { ARCHITECTURES, type Architecture, preparedNode } from './node.ts';
import { buildNpm } from './npm.ts';
import { PROGRAMS } from './programs.ts';
import { root, sourceDate } from './root.ts';
import { buildRpm } from './rpm.ts';
import { sbom } from './sbom.ts';
import { buildSea } from './sea.ts';
import { table } from './sizes.ts';
import { writeSums } from './sums.ts';
import { buildTar } from './tar.ts';
import { buildWindows } from './windows/build.ts';

export const FORMATS = ['deb', 'rpm', 'tar', 'sea', 'npm', 'zip'] as const;
export type Format = (typeof FORMATS)[number];

export interface Wanted {
  out: string;
  version: string;
  /** The Debian packages alone unless given. */
  formats?: readonly Format[];
  architectures?: Architecture[];
  /** Names of programs; both unless given. An archive and the npm package always hold both, that for Windows the agent. */
  only?: string[];
  compression?: Compression;
}

/** Builds packages and their bills of materials into a folder, with SHA256SUMS of all that is there; returns the packages' paths. */
export async function buildPackages(wanted: Wanted): Promise<string[]> {
  const { out, version, formats = ['deb'], architectures = ['amd64', 'arm64'], only, compression = 'xz' } = wanted;
  const date = sourceDate();
  const work = mkdtempSync(join(os.tmpdir(), 'scout-package-'));
  let count = 0;
  const job = <T extends object>(contents: T): T & Pick<Job, 'work' | 'out' | 'compression'> => {
    const folder = join(work, String(count++));
    mkdirSync(folder);
    return { ...contents, work: folder, out, compression };
  };
  try {
    mkdirSync(out, { recursive: true });
    const bundles = join(work, 'dist');
    const inside = await bundle({ out: bundles, version });
    const chosen = PROGRAMS.filter(({ name }) => !only || only.includes(name));
    const packages: string[] = [];
    const bill = (name: string, text: string): void => writeFileSync(join(out, `${name}.cdx.json`), text);
    for (const architecture of formats.some((one) => one !== 'npm' && one !== 'zip') ? architectures : []) {
      const node = preparedNode(architecture, join(root, 'artefacts/nodes'), work);
      const all = PROGRAMS.map((program): Contents => {
        return { program, architecture, version, date, bundles, libraries: inside[program.bundle], node };
      });
      for (const contents of all.filter(({ program }) => chosen.includes(program))) {
        if (formats.includes('deb')) packages.push(await buildDeb(job(contents)));
        if (formats.includes('rpm')) packages.push(await buildRpm(job(contents)));
        if (formats.includes('sea')) packages.push(...(await buildSea(job(contents))));
      }
      if (formats.includes('tar')) packages.push(...(await buildTar(all.map(job))));
      for (const one of formats.includes('tar') ? all : all.filter(({ program }) => chosen.includes(program)))
        bill(`${one.program.name}-${version}-linux-${ARCHITECTURES[architecture]}`, sbom(one));
    }
    if (formats.includes('npm')) {
      const libraries = inside.agent.union(inside.hub);
      const made = buildNpm(job({ version, date, bundles, libraries }));
      packages.push(made.path);
      bill(`scout-agent-${version}-npm`, made.bill);
    }
    if (formats.includes('zip')) {
      const made = await buildWindows({ out, version, level: compression === 'xz' ? 9 : 1 });
      packages.push(made.path);
      bill(basename(made.path, '.zip'), made.bill);
    }
    writeSums(out);
    return packages;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Words of a list, each held to what there is. */
function choice<T extends string>(text: string, of: readonly T[]): T[] {
  const words = text.split(',');
  const wrong = words.find((word) => !(of as readonly string[]).includes(word));
  if (wrong !== undefined) throw new Error(`there is no ${wrong}; known are ${of.join(', ')}`);
  return words as T[];
}

if (import.meta.main) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const architectures = Object.keys(ARCHITECTURES) as Architecture[];
  const names = PROGRAMS.map(({ name }) => name);
  const { values } = parseArgs({
    options: {
      formats: { type: 'string', default: FORMATS.join(',') },
      arch: { type: 'string', default: architectures.join(',') },
      only: { type: 'string', default: names.join(',') },
      version: { type: 'string', default: manifest.version },
      out: { type: 'string', default: join(root, 'artefacts/packages') },
      compression: { type: 'string', default: 'xz' },
    },
  });
  const [compression] = choice<Compression>(values.compression, ['xz', 'none']);
  const made = await buildPackages({
    out: resolve(values.out),
    version: values.version,
    formats: choice(values.formats, FORMATS),
    architectures: choice(values.arch, architectures),
    only: choice<string>(values.only, names),
    ...(compression && { compression }),
  });
  process.stdout.write(`${table(made.filter((path) => !path.endsWith('.licences')))}\n`);
}
