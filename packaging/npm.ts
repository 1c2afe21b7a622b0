import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job } from './layout.ts';
import { copyright } from './licences.ts';
import { PROGRAMS } from './programs.ts';
import { root } from './root.ts';
import { sbom } from './sbom.ts';
import { Tree } from './tree.ts';

/**
 * Builds the npm package for developers, and returns its path and its bill of materials: both programs as bundles, with no
 * dependencies but the pinned Node, which is used where the one that runs it is too old. Its manifest is made from
 * ours, which is private so that nobody publishes the working tree; the package made here can be published.
 */
export function buildNpm(job: Pick<Job, 'version' | 'date' | 'bundles' | 'libraries' | 'work' | 'out'>): { path: string; bill: string } {
  const { version, date, bundles, libraries, work, out } = job;
  const { name, description, license, type, bin, engines, optionalDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const bill = sbom({ program: PROGRAMS[0] as (typeof PROGRAMS)[number], version, date, libraries });
  const tree = new Tree(work);
  const manifest = { name, version, description, license, type, bin, engines, optionalDependencies };
  tree.file('package.json', `${JSON.stringify(manifest, undefined, 2)}\n`);
  for (const file of ['launch.js', ...PROGRAMS.map((program) => `${program.name}.js`)]) tree.copy(join(root, 'bin', file), `bin/${file}`);
  for (const { bundle } of PROGRAMS) tree.copyFolder(join(bundles, bundle), `dist/${bundle}`);
  for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) tree.copy(join(root, file), file);
  tree.file('THIRD-PARTY', copyright(libraries, undefined, false));
  tree.file('sbom.cdx.json', bill);
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', out], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return { path: join(out, `${name}-${version}.tgz`), bill };
}
