import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';

/**
 * The path of another project's program, for measuring beside it: the installed one, else the one in Debian's
 * package, unpacked into a temporary folder and not installed. Packages that Debian 12 lacks come from its newer
 * suites, on the mirror that this machine's own apt uses; `suites` leaves the installed one and Debian's own out where
 * it names others. Undefined where neither is to be had.
 */
export function peer(program: string, inPackage: string, packageName = program, suites = ['', 'trixie', 'sid']): string | undefined {
  try {
    if (suites.includes('')) return execFileSync('which', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {}
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-peer-'));
  for (const suite of suites) {
    try {
      const apt = suite ? newerSuite(folder, suite) : [];
      execFileSync('apt-get', [...apt, 'download', '-qq', packageName], { cwd: folder, stdio: 'ignore' });
      const deb = readdirSync(folder).find((name) => name.endsWith('.deb')) as string;
      execFileSync('dpkg', ['-x', deb, 'root'], { cwd: folder, stdio: 'ignore' });
      const path = join(folder, 'root', inPackage);
      if (existsSync(path)) return path;
    } catch {}
  }
  return undefined;
}

/** Options that make apt look at one suite only, with lists and cache of its own. */
function newerSuite(folder: string, suite: string): string[] {
  const sources = ['/etc/apt/sources.list', ...glob('/etc/apt/sources.list.d')]
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'));
  const mirror = /^(?:deb\s+(?:\[[^\]]*\]\s+)?|URIs:\s*)(\S+)/m.exec(sources.join('\n'))?.[1];
  if (!mirror) throw new Error('no mirror in the apt sources');
  const list = join(folder, `${suite}.list`);
  const lists = join(folder, `lists-${suite}`);
  mkdirSync(join(lists, 'partial'), { recursive: true });
  writeFileSync(list, `deb [trusted=yes] ${mirror} ${suite} main\n`);
  const options = [
    `Dir::Etc::SourceList=${list}`,
    'Dir::Etc::SourceParts=-',
    `Dir::State::Lists=${lists}`,
    'APT::Get::List-Cleanup=0',
  ].flatMap((option) => ['-o', option]);
  execFileSync('apt-get', [...options, 'update', '-qq'], { stdio: 'ignore' });
  return options;
}

function glob(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}
