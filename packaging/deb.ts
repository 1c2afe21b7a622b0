import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { completionFor } from '../src/cli/completion/verb.ts';
import { copyright } from './licences.ts';
import { manualPage } from './man.ts';
import { type Architecture, pinnedNode } from './node.ts';
import type { Program } from './programs.ts';
import { root } from './root.ts';
import { Tree } from './tree.ts';

/** What a package is made of. */
export interface Deb {
  program: Program;
  architecture: Architecture;
  /** Version of the programs; the package's has a `-1` behind it. */
  version: string;
  /** Seconds since 1970 that all files bear. */
  date: number;
  /** The built bundles, and what libraries are inside this one. */
  bundles: string;
  libraries: ReadonlySet<string>;
  /** Where fetched Nodes are kept. */
  cache: string;
  /** An empty folder of its own. */
  work: string;
  /** Where the package goes. */
  out: string;
  /** How dpkg-deb packs: `xz` to ship, `none` where only time counts. */
  compression: 'xz' | 'none';
}

const MAINTAINER = 'scout-agent maintainers <maintainers@scout-agent.invalid>';

/** What the Node inside is linked against, as dpkg-shlibdeps(1) tells (a test asks it). */
export const DEPENDS = 'libatomic1 (>= 4.8), libc6 (>= 2.34), libgcc-s1 (>= 4.2), libstdc++6 (>= 10.2)';

/** Builds one package, and returns its path. The same source gives the same bytes. */
export async function buildDeb(deb: Deb): Promise<string> {
  const { program, architecture, version, date, work, out, compression } = deb;
  const tree = new Tree(work);
  await fill(tree, deb);
  const files = tree.files();
  const size = files.reduce((sum, path) => sum + Math.ceil(statSync(tree.at(path)).size / 1024), 0);
  const sums = files.map(
    (path) =>
      `${createHash('md5')
        .update(readFileSync(tree.at(path)))
        .digest('hex')}  ${path}\n`,
  );
  tree.file('DEBIAN/control', control(deb, size));
  tree.file('DEBIAN/md5sums', sums.join(''));
  tree.file('DEBIAN/conffiles', program.conffiles.map(([, place]) => `/${place}\n`).join(''));
  for (const script of ['preinst', 'postinst', 'prerm', 'postrm'])
    tree.copy(join(root, `packaging/deb/${program.name}.${script}`), `DEBIAN/${script}`, 0o755);
  tree.date(date);
  const path = join(out, `${program.name}_${version}-1_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', work, path], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(date) },
  });
  return path;
}

async function fill(tree: Tree, { program, architecture, version, date, bundles, libraries, cache }: Deb): Promise<void> {
  const { name } = program;
  const node = pinnedNode(architecture, cache);
  const described = await program.describe();
  const home = `usr/lib/${name}`;
  tree.directory('', 0o755);
  tree.copy(join(node, 'bin/node'), `${home}/node`, 0o755);
  tree.file(`${home}/package.json`, `${JSON.stringify({ name, version, private: true, type: 'module' })}\n`);
  // Without its first line, which asks for the Node of the PATH.
  tree.file(`${home}/bin/${name}.js`, readFileSync(join(root, `bin/${name}.js`), 'utf8').replace(/^#!.*\n/, ''));
  tree.copy(join(root, 'bin/launch.js'), `${home}/bin/launch.js`);
  tree.copyFolder(join(bundles, program.bundle), `${home}/dist/${program.bundle}`);
  tree.file(`usr/bin/${name}`, readFileSync(join(root, 'packaging/launcher'), 'utf8').replaceAll('@NAME@', name), 0o755);

  for (const unit of program.units) tree.copy(join(root, 'systemd', unit), `usr/lib/systemd/system/${unit}`);
  tree.copy(join(root, `packaging/${name}.sysusers`), `usr/lib/sysusers.d/${name}.conf`);
  tree.copy(join(root, `packaging/${name}.tmpfiles`), `usr/lib/tmpfiles.d/${name}.conf`);
  for (const [folder, mode] of program.folders) tree.directory(folder, mode);
  for (const [from, place] of program.conffiles) tree.copy(join(root, 'packaging', from), place);

  tree.gzip(`usr/share/man/man1/${name}.1.gz`, manualPage({ program: name, version, date, ...program.manual }, described));
  tree.file(`usr/share/bash-completion/completions/${name}`, await completionFor('bash', name, described));
  tree.file(`usr/share/zsh/vendor-completions/_${name}`, await completionFor('zsh', name, described));
  tree.file(`usr/share/fish/vendor_completions.d/${name}.fish`, await completionFor('fish', name, described));

  const docs = `usr/share/doc/${name}`;
  tree.file(`${docs}/copyright`, copyright(libraries, node));
  tree.gzip(`${docs}/changelog.gz`, readFileSync(join(root, 'CHANGELOG.md'), 'utf8'));
  tree.gzip(`${docs}/changelog.Debian.gz`, changelog(name, version, date));
  for (const page of readdirSync(join(root, 'docs'))) if (page.endsWith('.md')) tree.copy(join(root, 'docs', page), `${docs}/${page}`);
  tree.copy(join(root, `packaging/deb/${name}.lintian-overrides`), `usr/share/lintian/overrides/${name}`);
}

function control({ program, architecture, version }: Deb, size: number): string {
  const description = program.description.map(wrapped).join('\n .\n');
  return `Package: ${program.name}
Version: ${version}-1
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${size}
Depends: ${DEPENDS}
Section: admin
Priority: optional
Description: ${program.summary}
${description}
`;
}

/** A paragraph of a description, in lines of at most 79. */
function wrapped(paragraph: string): string {
  return (paragraph.match(/.{1,77}(?:\s|$)/g) ?? []).map((line) => ` ${line.trim()}`).join('\n');
}

function changelog(name: string, version: string, date: number): string {
  const day = new Date(date * 1_000).toUTCString().replace('GMT', '+0000');
  return `${name} (${version}-1) unstable; urgency=medium

  * Built from scout-agent ${version}; what changed is in changelog.gz.

 -- ${MAINTAINER}  ${day}
`;
}
