import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The path of a VictoriaMetrics that understands OTLP, or why there is none. Debian's newer suites have one: it is
 * downloaded from the mirror that this machine's own apt names, its signature checked, and unpacked below `folder`;
 * nothing is installed. Some 20 MB, so only in CI; elsewhere name a program in SCOUT_VICTORIA_METRICS.
 */
export function victoriaMetrics(folder: string): { program: string } | { reason: string } {
  const { SCOUT_VICTORIA_METRICS: named, CI } = process.env;
  if (named) return { program: named };
  if (!CI) return { reason: 'SCOUT_VICTORIA_METRICS names no program, and it is downloaded in CI only' };
  try {
    for (const suite of ['sid', 'trixie']) {
      const options = newerSuite(folder, suite);
      apt(folder, [...options, 'update']);
      apt(folder, [...options, 'download', 'victoria-metrics']);
      const [deb] = globSync('victoria-metrics_*.deb', { cwd: folder });
      if (!deb) continue;
      execFileSync('dpkg', ['-x', deb, 'root'], { cwd: folder, stdio: 'ignore' });
      return { program: join(folder, 'root/usr/bin/victoria-metrics') };
    }
    return { reason: 'no suite of Debian had it' };
  } catch (error) {
    return { reason: (error as Error).message.split('\n')[0] ?? 'unknown' };
  }
}

function apt(folder: string, args: string[]): void {
  execFileSync('apt-get', ['-qq', ...args], { cwd: folder, stdio: 'ignore', timeout: 120_000 });
}

/** Options that make apt see one suite only, with lists and a cache of its own. */
function newerSuite(folder: string, suite: string): string[] {
  const sources = ['/etc/apt/sources.list', ...globSync('/etc/apt/sources.list.d/*')].map(readable).join('\n');
  const mirrors = [...sources.matchAll(/^(?:deb\s+(?:\[[^\]]*\]\s+)?|URIs:\s*)(\S+)/gm)].map(([, address]) => address as string);
  const mirror = mirrors.find((address) => /\/debian\/?$/.test(address));
  if (!mirror) throw new Error('the apt sources name no Debian mirror');
  const list = join(folder, `${suite}.list`);
  const lists = join(folder, `lists-${suite}`);
  mkdirSync(join(lists, 'partial'), { recursive: true });
  mkdirSync(join(folder, 'archives/partial'), { recursive: true });
  writeFileSync(list, `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} ${suite} main\n`);
  return [`Dir::Etc::SourceList=${list}`, 'Dir::Etc::SourceParts=-', `Dir::State::Lists=${lists}`, `Dir::Cache=${folder}`].flatMap(
    (option) => ['-o', option],
  );
}

function readable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
