import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/*
 * Stand-ins for the two base images of the Dockerfile, where no registry is within reach: made of the Debian packages
 * that are installed here, so the Dockerfile is built as it stands, on files of the same distribution.
 */

/** Packages by name, with what each depends on and what it stands for. */
type Installed = Map<string, { essential: boolean; depends: string[]; provides: string[] }>;

const BY_HAND = ['etc/passwd', 'etc/group', 'etc/debian_version'];
const LEFT_OUT = /^\/usr\/share\/(doc|man|locale|info|lintian|bug)\//;

/** Fills a folder with the essential packages, those named, and all that they depend on, apt and its lists of what is installed. */
export function debianRoot(folder: string, ...names: string[]): void {
  const installed = installedPackages();
  const wanted = closure(installed, [...installed].flatMap(([name, { essential }]) => (essential ? [name] : [])).concat(names));
  for (const link of ['bin', 'sbin', 'lib', 'lib64'])
    if (existsSync(`/${link}`) && lstatSync(`/${link}`).isSymbolicLink()) {
      mkdirSync(join(folder, 'usr', link), { recursive: true });
      symlinkSync(`usr/${link}`, join(folder, link));
    }
  const listed = execFileSync('dpkg', ['-L', ...wanted], { encoding: 'utf8', maxBuffer: 64 << 20 }).split('\n');
  const files = new Set(listed.filter((path) => path.startsWith('/') && !LEFT_OUT.test(path)).map(unlinked));
  const list = [...files].filter((path) => lstatSync(path, { throwIfNoEntry: false })).sort();
  execFileSync('sh', ['-c', 'tar -C / -c --no-recursion -T - | tar -C "$0" -xp', folder], {
    input: list.map((path) => `.${path}\n`).join(''),
  });
  for (const path of BY_HAND) cpSync(`/${path}`, join(folder, path));
  const status = readFileSync('/var/lib/dpkg/status', 'utf8').split('\n\n');
  mkdirSync(join(folder, 'var/lib/dpkg'), { recursive: true });
  const kept = status.filter((one) => wanted.has(/^Package: (\S+)/m.exec(one)?.[1] ?? ''));
  writeFileSync(join(folder, 'var/lib/dpkg/status'), `${kept.join('\n\n')}\n`);
}

/** Puts Node and npm where the official image of Node has them. */
export function addNode(folder: string): void {
  const npm = dirname(dirname(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())));
  mkdirSync(join(folder, 'usr/local/bin'), { recursive: true });
  cpSync(process.execPath, join(folder, 'usr/local/bin/node'));
  cpSync(npm, join(folder, 'usr/local/lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(folder, 'usr/local/bin/npm'));
}

/** /bin/sh lies in /usr/bin where /bin is a link. */
function unlinked(path: string): string {
  const [, top, rest] = /^\/(bin|sbin|lib|lib64)\/(.*)$/.exec(path) ?? [];
  return top && lstatSync(`/${top}`).isSymbolicLink() ? `/usr/${top}/${rest}` : path;
}

function installedPackages(): Installed {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own.
  const format = '${db:Status-Abbrev}\t${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\t${Provides}\n';
  const lines = execFileSync('dpkg-query', ['-W', '-f', format], { encoding: 'utf8', maxBuffer: 64 << 20 }).split('\n');
  const rows = lines.filter((line) => line.startsWith('ii')).map((line) => line.split('\t'));
  return new Map(
    rows.map(([, name = '', essential, depends = '', provides = '']) => [
      name,
      { essential: essential === 'yes', depends: namesIn(depends), provides: namesIn(provides) },
    ]),
  );
}

/** Names in a field such as `libc6 (>= 2.36), awk | mawk:any`. */
const namesIn = (field: string): string[] =>
  field
    .split(/[,|]/)
    .map((one) => one.trim().replace(/[\s:(].*$/, ''))
    .filter(Boolean);

function closure(installed: Installed, names: string[]): Set<string> {
  const found = new Set<string>();
  const providers = new Map([...installed].flatMap(([name, { provides }]) => provides.map((one) => [one, name] as const)));
  const visit = (wanted: string): void => {
    const name = installed.has(wanted) ? wanted : providers.get(wanted);
    if (name === undefined || found.has(name)) return;
    found.add(name);
    installed.get(name)?.depends.forEach(visit);
  };
  names.forEach(visit);
  return found;
}

/** The certificate authorities that Node is told of here, for a build machine behind a proxy that opens TLS. */
export function houseAuthorities(): string | undefined {
  const { NODE_EXTRA_CA_CERTS: file } = process.env;
  return file && existsSync(file) && statSync(file).size > 0 ? file : undefined;
}
