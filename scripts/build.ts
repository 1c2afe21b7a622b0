/** Builds dist/agent and dist/hub: one bundle a program, split where a module is imported only when used. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The library packages that went into a bundle, by name. */
export type Libraries = Set<string>;

export interface Build {
  /** Where the bundles go; emptied before. */
  out: string;
  /** Version that the programs name as theirs; that of package.json unless given. */
  version?: string;
}

/** Builds both programs into `out`/agent and `out`/hub, and tells which libraries are inside each. */
export async function bundle({ out, version }: Build): Promise<Record<'agent' | 'hub', Libraries>> {
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
  const plugins = [versionOf(version ?? manifest.version)];
  const inside = { agent: new Set<string>(), hub: new Set<string>(['uplot']) };
  rmSync(out, { recursive: true, force: true });

  for (const name of ['agent', 'hub'] as const) {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: { main: `src/cli/${name}.ts` },
      outdir: `${out}/${name}`,
      bundle: true,
      splitting: true,
      minify: true,
      keepNames: true,
      format: 'esm',
      platform: 'node',
      target: 'node26',
      legalComments: 'none',
      // CommonJS libraries inside an ES module bundle still ask for `require`. A long name: short ones the minifier gives out itself.
      banner: {
        js: "import{createRequire as createRequireOfBundle}from'node:module';const require=createRequireOfBundle(import.meta.url);",
      },
      logLevel: 'warning',
      metafile: true,
      plugins,
    });
    for (const library of librariesIn(metafile.inputs)) inside[name].add(library);
  }

  // The daemon by itself, as CommonJS: the loader of ES modules alone would cost it about 1.5 MB of private memory. What
  // it never uses of pino and of the collectors for other systems stays out.
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/agent/daemon.ts'],
    outfile: `${out}/agent/daemon.cjs`,
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
    metafile: true,
    plugins: [...plugins, withoutThreads],
  });
  for (const library of librariesIn(metafile.inputs)) inside.agent.add(library);

  // What the hub's pages load stands beside its bundle (src/hub/pages/assets.ts).
  cpSync(`${root}src/hub/pages/assets`, `${out}/hub/assets`, { recursive: true });
  for (const [from, to] of [
    ['uPlot.iife.min.js', 'uplot.js'],
    ['uPlot.min.css', 'uplot.css'],
  ])
    cpSync(`${root}node_modules/uplot/dist/${from}`, `${out}/hub/assets/${to}`);
  return inside;
}

/**
 * What pino has for threads and for several streams, none of which the daemon uses: with it come worker_threads, module
 * and assert, which Node would load and keep (about 0.4 MB; bench/agent.ts). test/agent/bundle.test.ts looks for them.
 */
const withoutThreads: Plugin = {
  name: 'without-threads',
  setup: ({ onResolve, onLoad }) => {
    const instead: [from: RegExp, path: RegExp, contents: string][] = [
      [/[\\/]pino[\\/]/, /^(\.\/lib|\.)\/(transport|multistream)$/, 'module.exports = undefined'],
      [/[\\/]pino[\\/]/, /^worker_threads$/, 'module.exports = { isMainThread: true }'],
      [/[\\/]sonic-boom[\\/]/, /^assert$/, 'module.exports = (held, message) => { if (!held) throw new Error(message) }'],
    ];
    for (const [from, filter, contents] of instead)
      onResolve({ filter }, ({ path, importer }) =>
        from.test(importer) ? { path, namespace: 'instead', pluginData: contents } : undefined,
      );
    onLoad({ filter: /./, namespace: 'instead' }, ({ pluginData }) => ({ contents: pluginData as string }));
  },
};

/** package.json as the programs see it: its version and nothing else. */
export function versionOf(version: string): Plugin {
  return {
    name: 'version',
    setup: ({ onLoad }) =>
      onLoad({ filter: /[\\/]package\.json$/ }, ({ path }) =>
        path === `${root}package.json` ? { contents: JSON.stringify({ version }), loader: 'json' } : undefined,
      ),
  };
}

function librariesIn(inputs: object): string[] {
  return Object.keys(inputs).flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
}

if (import.meta.main) await bundle({ out: `${root}dist` });
