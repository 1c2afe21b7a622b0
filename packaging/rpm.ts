import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MAINTAINER } from './deb.ts';
import { type Job, layOut, type Places } from './layout.ts';
import type { Architecture } from './node.ts';
import type { Program } from './programs.ts';
import { licencesOf } from './sbom.ts';
import { maintainerScript } from './shell.ts';
import { Tree } from './tree.ts';

const NAMES: Record<Architecture, string> = { amd64: 'x86_64', arm64: 'aarch64' };
const SCRIPTS = ['pre', 'post', 'preun', 'postun', 'posttrans'];

/**
 * Builds one package by rpmbuild(8), and returns its path. The same source gives the same bytes with the same rpm: its
 * version stands in every package. Nothing of the building machine's own macros has a say.
 */
export async function buildRpm(job: Job): Promise<string> {
  const { program, architecture, version, date, work, out, compression } = job;
  const tree = new Tree(join(work, 'tree'));
  tree.directory('', 0o755);
  await layOut(tree, job, placesOf(program));
  tree.date(date);
  const spec = join(work, `${program.name}.spec`);
  writeFileSync(spec, specOf(job, tree));
  const macros = {
    _topdir: join(work, 'rpmbuild'),
    _rpmdir: out,
    _rpmfilename: '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm',
    // Two threads wherever it is built: one alone would give other bytes.
    _binary_payload: compression === 'xz' ? 'w6T2.xzdio' : 'w0.ufdio',
    _buildhost: 'localhost',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
    source_date_epoch_from_changelog: '0',
    _vendor: 'any',
    debug_package: '%{nil}',
    _build_id_links: 'none',
    // What would compress, strip or check files after %install: they are as they should be.
    __os_install_post: '%{nil}',
    __arch_install_post: '%{nil}',
    __check_files: '%{nil}',
  };
  const defines = Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  execFileSync('rpmbuild', ['-bb', '--quiet', '--target', `${NAMES[architecture]}-linux`, ...defines, spec], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(date), LC_ALL: 'C.UTF-8' },
  });
  const path = join(out, `${program.name}-${versionOf(version)}-1.${NAMES[architecture]}.rpm`);
  if (!existsSync(path)) throw new Error(`rpmbuild made no ${path}`);
  return path;
}

/** A hyphen would end the version; what follows it comes before the release, as the tilde says. */
const versionOf = (version: string): string => version.replaceAll('-', '~');

function placesOf({ name }: Program): Places {
  return {
    prefix: 'usr/',
    home: `lib/${name}`,
    findHome: `home=/usr/lib/${name}`,
    zsh: 'share/zsh/site-functions',
    licences: `share/licenses/${name}`,
    copyright: 'THIRD-PARTY',
    commonLicences: false,
  };
}

function specOf(job: Job, tree: Tree): string {
  const { program, version, date } = job;
  const day = new Date(date * 1_000).toUTCString().replace(/^(\w+), (\d+) (\w+) (\d+) .*$/, '$1 $3 $2 $4');
  return `Name: ${program.name}
Version: ${versionOf(version)}
Release: 1
Summary: ${program.summary}
License: ${licencesOf(job).join(' AND ')}
Vendor: scout-agent
Packager: ${MAINTAINER}
AutoReqProv: no
${requirements(job)
  .map((one) => `Requires: ${one}\n`)
  .join('')}
%description
${program.description.map((one) => (one.match(/.{1,78}(?:\s|$)/g) ?? []).map((line) => line.trim()).join('\n')).join('\n\n')}

%install
cp -a ${tree.folder}/. %{buildroot}

${SCRIPTS.map((name) => `%${name} -p /bin/sh\n${maintainerScript(`rpm/${program.name}.${name}`)}`).join('\n')}
%files
%defattr(-,root,root,-)
${filesOf(program, tree).join('\n')}

%changelog
* ${day} ${MAINTAINER} - ${versionOf(version)}-1
- Built from scout-agent ${version}; what changed is in changelog.gz.
`;
}

/** What Node is linked against, as rpm itself tells of a program that it packs. */
function requirements({ node }: Job): string[] {
  const tools = execFileSync('rpm', ['--eval', '%{_rpmconfigdir}'], { encoding: 'utf8' }).trim();
  const told = execFileSync(join(tools, 'elfdeps'), ['--requires', node.binary], { encoding: 'utf8' });
  return told.trim().split('\n').sort();
}

function filesOf({ name, conffiles, folders }: Program, tree: Tree): string[] {
  const kept = new Set(conffiles.map(([, place]) => place));
  const files = tree.files().map((path) => {
    if (kept.has(path)) return `%config(noreplace) "/${path}"`;
    if (path.includes('/share/licenses/')) return `%license "/${path}"`;
    return `${path.includes('/share/doc/') || path.includes('/share/man/') ? '%doc ' : ''}"/${path}"`;
  });
  const own = tree.folders().filter((path) => path.split('/').includes(name) && !folders.some(([folder]) => folder === path));
  // The agent reads its configuration as its own user; others do not.
  const shared = folders.map(([folder, mode]) => `%dir %attr(0${mode.toString(8)},root,${basename(folder)}) "/${folder}"`);
  return [...shared, ...own.map((path) => `%dir "/${path}"`), ...files];
}
