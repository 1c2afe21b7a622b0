import { existsSync, linkSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { completionFor } from '../src/cli/completion/verb.ts';
import { copyright } from './licences.ts';
import { manualPage } from './man.ts';
import type { Architecture, Node } from './node.ts';
import type { Program } from './programs.ts';
import { root } from './root.ts';
import { sbom } from './sbom.ts';
import type { Tree } from './tree.ts';

/** What is laid out: one program for one processor. */
export interface Contents {
  program: Program;
  architecture: Architecture;
  version: string;
  /** Seconds since 1970 that all files bear. */
  date: number;
  /** The built bundles, and what libraries are inside this one. */
  bundles: string;
  libraries: ReadonlySet<string>;
  node: Node;
}

/** How a package is packed: `xz` to ship, `none` where only time counts. */
export type Compression = 'xz' | 'none';

/** A package to be built. */
export interface Job extends Contents {
  /** An empty folder of its own. */
  work: string;
  /** Where the package goes. */
  out: string;
  compression: Compression;
}

/** What differs between formats in where things lie. */
export interface Places {
  /** What stands before `bin`, `lib` and `share`: `usr/`, or nothing where the target is chosen at the installation. */
  prefix: string;
  /** The folder of Node and bundle, behind the prefix. */
  home: string;
  /** The launcher's line that sets `home`. */
  findHome: string;
  /** Folder of zsh's completions, behind the prefix. */
  zsh: string;
  /** Folder of the licences, behind the prefix. */
  licences: string;
  /** Name of the file with all of them. */
  copyright: string;
  /** Whether the text of our own licence is among the system's, and need not be repeated. */
  commonLicences: boolean;
}

/**
 * Lays out everything of a program that is installed: the one list of what lies where. Formats add only what their
 * package manager wants for itself.
 */
export async function layOut(tree: Tree, contents: Contents, places: Places): Promise<void> {
  const { program, version, date, bundles, libraries, node } = contents;
  const { name } = program;
  const at = (path: string): string => `${places.prefix}${path}`;
  const described = await program.describe();

  const home = at(places.home);
  tree.directory(home);
  if (!existsSync(tree.at(`${home}/node`))) {
    // A link: no package changes it, and it is 116 MB.
    linkSync(node.binary, tree.at(`${home}/node`));
  }
  tree.file(`${home}/package.json`, `${JSON.stringify({ name: 'scout-agent', version, private: true, type: 'module' })}\n`);
  // Without its first line, which asks for the Node of the PATH.
  tree.file(`${home}/bin/${name}.js`, readFileSync(join(root, `bin/${name}.js`), 'utf8').replace(/^#!.*\n/, ''));
  tree.copy(join(root, 'bin/launch.js'), `${home}/bin/launch.js`);
  tree.copyFolder(join(bundles, program.bundle), `${home}/dist/${program.bundle}`);
  const launcher = readFileSync(join(root, 'packaging/launcher'), 'utf8');
  tree.file(at(`bin/${name}`), launcher.replace('@HOME@', places.findHome).replaceAll('@NAME@', name), 0o755);

  for (const unit of program.units) tree.copy(join(root, 'systemd', unit), at(`lib/systemd/system/${unit}`));
  tree.copy(join(root, `packaging/${name}.sysusers`), at(`lib/sysusers.d/${name}.conf`));
  tree.copy(join(root, `packaging/${name}.tmpfiles`), at(`lib/tmpfiles.d/${name}.conf`));
  for (const [folder, mode] of program.folders) tree.directory(folder, mode);
  for (const [from, place] of program.conffiles) tree.copy(join(root, 'packaging', from), place);
  for (const from of program.examples) tree.copy(join(root, 'packaging', from), at(`share/doc/${name}/examples/${basename(from)}`));

  tree.gzip(at(`share/man/man1/${name}.1.gz`), manualPage({ program: name, version, date, ...program.manual }, described));
  tree.file(at(`share/bash-completion/completions/${name}`), await completionFor('bash', name, described));
  tree.file(at(`${places.zsh}/_${name}`), await completionFor('zsh', name, described));
  tree.file(at(`share/fish/vendor_completions.d/${name}.fish`), await completionFor('fish', name, described));

  const docs = at(`share/doc/${name}`);
  const licences = at(places.licences);
  tree.file(`${licences}/${places.copyright}`, copyright(libraries, node, places.commonLicences));
  if (!places.commonLicences) tree.copy(join(root, 'LICENSE'), `${licences}/LICENSE`);
  tree.file(`${docs}/sbom.cdx.json`, sbom(contents));
  tree.gzip(`${docs}/changelog.gz`, readFileSync(join(root, 'CHANGELOG.md'), 'utf8'));
  for (const page of readdirSync(join(root, 'docs'))) if (page.endsWith('.md')) tree.copy(join(root, 'docs', page), `${docs}/${page}`);
}

/** Where Debian wants what a program is made of. */
export function debianPlaces(name: string): Places {
  return {
    prefix: 'usr/',
    home: `lib/${name}`,
    findHome: `home=/usr/lib/${name}`,
    zsh: 'share/zsh/vendor-completions',
    licences: `share/doc/${name}`,
    copyright: 'copyright',
    commonLicences: true,
  };
}
