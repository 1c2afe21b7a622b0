/** Builds dist/agent and dist/hub: one bundle a program, split where a module is imported only when used. */
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });

for (const name of ['agent', 'hub']) {
  await build({
    absWorkingDir: root,
    entryPoints: { main: `src/cli/${name}.ts` },
    outdir: `dist/${name}`,
    bundle: true,
    splitting: true,
    minify: true,
    keepNames: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    legalComments: 'none',
    // CommonJS libraries inside an ES module bundle still ask for `require`. A long name: short ones the minifier gives out itself.
    banner: { js: "import{createRequire as createRequireOfBundle}from'node:module';const require=createRequireOfBundle(import.meta.url);" },
    logLevel: 'warning',
  });
}

// The daemon by itself, as CommonJS: the loader of ES modules alone would cost it about 1.5 MB of private memory. What
// it never uses of pino and of the collectors for other systems stays out.
await build({
  absWorkingDir: root,
  entryPoints: ['src/agent/daemon.ts'],
  outfile: 'dist/agent/daemon.cjs',
  bundle: true,
  minify: true,
  keepNames: true,
  format: 'cjs',
  platform: 'node',
  target: 'node26',
  legalComments: 'none',
  define: { 'import.meta.url': 'undefined' },
  external: ['systeminformation'],
  logLevel: 'warning',
});

// What the hub's pages load stands beside its bundle (src/hub/pages/assets.ts).
cpSync(`${root}src/hub/pages/assets`, `${root}dist/hub/assets`, { recursive: true });
for (const [from, to] of [
  ['uPlot.iife.min.js', 'uplot.js'],
  ['uPlot.min.css', 'uplot.css'],
])
  cpSync(`${root}node_modules/uplot/dist/${from}`, `${root}dist/hub/assets/${to}`);
