import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Job, layOut, type Places } from './layout.ts';
import { ARCHITECTURES } from './node.ts';
import { root } from './root.ts';
import { Tree } from './tree.ts';

/**
 * Builds one archive with both programs, which share one Node, and returns its paths, one a way of packing. It runs where it was unpacked, or
 * is put in its place by the install.sh inside. The same source gives the same bytes: Node's own gzip packs it, and xz where it is to be shipped.
 */
export async function buildTar(jobs: Job[]): Promise<string[]> {
  const [{ architecture, version, date, work, out, compression }] = jobs as [Job];
  const name = `scout-agent-${version}-linux-${ARCHITECTURES[architecture]}`;
  const tree = new Tree(join(work, name));
  tree.directory('', 0o755);
  for (const job of jobs) await layOut(tree, job, placesOf(job));
  tree.copy(join(root, 'packaging/tar/install.sh'), 'install.sh', 0o755);
  tree.copy(join(root, 'README.md'), 'README.md');
  tree.copy(join(root, 'LICENSE'), 'LICENSE');
  tree.date(date);
  const archive = join(work, `${name}.tar`);
  const same = ['--format=gnu', '--sort=name', '--owner=root:0', '--group=root:0', '--mode=u+rwX,go+rX'];
  execFileSync('tar', [...same, '-C', work, '-cf', archive, name], { stdio: ['ignore', 'ignore', 'inherit'] });
  const path = join(out, `${name}.tar.gz`);
  writeFileSync(path, gzipSync(readFileSync(archive), { level: compression === 'xz' ? 9 : 1 }));
  if (compression === 'none') return [path];
  // A third smaller, for who has xz. Two threads wherever it is built: one alone would give other bytes.
  execFileSync('xz', ['-6', '-T2', archive], { stdio: ['ignore', 'ignore', 'inherit'] });
  copyFileSync(`${archive}.xz`, join(out, `${name}.tar.xz`));
  return [path, join(out, `${name}.tar.xz`)];
}

const placesOf = ({ program: { name } }: Job): Places => ({
  prefix: '',
  home: 'lib/scout-agent',
  // Through links, such as one in /usr/bin, to the folder that it was unpacked or installed to.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own.
  findHome: 'self=$(readlink -f "$0")\nhome=${self%/bin/*}/lib/scout-agent',
  zsh: 'share/zsh/site-functions',
  licences: `share/doc/${name}`,
  copyright: 'THIRD-PARTY',
  commonLicences: false,
});
