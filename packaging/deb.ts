import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { debianPlaces, type Job, layOut } from './layout.ts';
import { root } from './root.ts';
import { maintainerScript } from './shell.ts';
import { Tree } from './tree.ts';

export const MAINTAINER = 'scout-agent maintainers <maintainers@scout-agent.invalid>';

/**
 * What the Node inside is linked against: the libraries that dpkg-shlibdeps(1) names (a test asks it), each as old as the
 * symbols that are used allow (`rpm -qp --requires` tells them). That tool itself would ask for the glibc of the
 * machine that builds, and shut out Debian 11.
 */
export const DEPENDS = 'libatomic1 (>= 4.8), libc6 (>= 2.28), libgcc-s1 (>= 4.2), libstdc++6 (>= 7)';

/** Builds one package, and returns its path. The same source gives the same bytes. */
export async function buildDeb(job: Job): Promise<string> {
  const { program, architecture, version, date, work, out, compression } = job;
  const tree = new Tree(work);
  tree.directory('', 0o755);
  await layOut(tree, job, debianPlaces(program.name));
  tree.gzip(`usr/share/doc/${program.name}/changelog.Debian.gz`, changelog(program.name, version, date));
  tree.copy(join(root, `packaging/deb/${program.name}.lintian-overrides`), `usr/share/lintian/overrides/${program.name}`);
  const files = tree.files();
  const size = files.reduce((sum, path) => sum + Math.ceil(statSync(tree.at(path)).size / 1024), 0);
  const sums = files.map(
    (path) =>
      `${createHash('md5')
        .update(readFileSync(tree.at(path)))
        .digest('hex')}  ${path}\n`,
  );
  tree.file('DEBIAN/control', control(job, size));
  tree.file('DEBIAN/md5sums', sums.join(''));
  tree.file('DEBIAN/conffiles', program.conffiles.map(([, place]) => `/${place}\n`).join(''));
  for (const script of ['preinst', 'postinst', 'prerm', 'postrm'])
    tree.file(`DEBIAN/${script}`, maintainerScript(`deb/${program.name}.${script}`), 0o755);
  tree.date(date);
  const path = join(out, `${program.name}_${version}-1_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', work, path], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(date) },
  });
  return path;
}

function control({ program, architecture, version }: Job, size: number): string {
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
