import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { versionOf } from '../scripts/build.ts';
import type { Job } from './layout.ts';
import { copyright } from './licences.ts';
import { ARCHITECTURES } from './node.ts';
import { root } from './root.ts';

/**
 * Builds the single executable of a program, and returns its path and that of the licences beside it: Node with the program
 * in it, as a CommonJS bundle, and for the agent the daemon by itself, since it starts the same file anew with the
 * flags that keep it small. Those can only come by the command line: NODE_OPTIONS of the environment is refused.
 */
export async function buildSea(job: Job): Promise<string[]> {
  const { program, architecture, version, bundles, node, work, out, libraries } = job;
  const script = join(work, 'program.cjs');
  await build({
    absWorkingDir: root,
    entryPoints: [`src/cli/${program.bundle}.ts`],
    outfile: script,
    bundle: true,
    minify: true,
    keepNames: true,
    format: 'cjs',
    platform: 'node',
    target: 'node26',
    legalComments: 'none',
    // Nothing lies beside it: what is asked for by its place comes from the assets. What other systems need stays out.
    define: { 'import.meta.url': 'undefined', 'process.platform': '"linux"' },
    supported: { 'dynamic-import': false },
    logLevel: 'warning',
    plugins: [versionOf(version)],
  });
  const folder = join(bundles, program.bundle);
  const pages = existsSync(join(folder, 'assets')) ? readdirSync(join(folder, 'assets')).sort() : [];
  const path = join(out, `${program.name}-${version}-linux-${ARCHITECTURES[architecture]}`);
  const settings = {
    main: join(root, 'packaging/sea/main.cjs'),
    executable: node.binary,
    output: path,
    disableExperimentalSEAWarning: true,
    useCodeCache: false,
    execArgvExtension: 'cli',
    assets: {
      'program.cjs': script,
      ...(program.bundle === 'agent' && { 'daemon.cjs': join(folder, 'daemon.cjs') }),
      ...Object.fromEntries(pages.map((name) => [`assets/${name}`, join(folder, 'assets', name)])),
    },
  };
  writeFileSync(join(work, 'sea.json'), JSON.stringify(settings));
  execFileSync(process.execPath, ['--build-sea', join(work, 'sea.json')], { stdio: ['ignore', 'ignore', 'inherit'] });
  chmodSync(path, 0o755);
  writeFileSync(`${path}.licences`, copyright(libraries, node, false));
  return [path, `${path}.licences`];
}
