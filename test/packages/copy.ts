import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';

/** What stands against a copy of this system; undefined when nothing does. */
export function obstacle(...tools: string[]): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  const missing = ['unshare', 'nsenter', ...tools].filter((name) => spawnSync('which', [name]).status !== 0);
  return missing.length > 0 ? `needs ${missing.join(', ')}` : undefined;
}

/** What a command left; its output and errors in one. */
export interface Left {
  status: number;
  output: string;
}

/**
 * This very system to write upon: what is installed, removed or changed in it is in memory, and gone at its end. Its
 * mounts are in a namespace of their own, so that nothing stays behind even when a test is killed. Nothing of
 * systemd is running in it, and nothing of ours was ever installed.
 */
export class Copy {
  readonly #folder = mkdtempSync(join(os.tmpdir(), 'scout-copy-'));
  #keeper: ReturnType<typeof spawn> | undefined;

  /** Makes it, with a folder of this host under /packages. */
  async make(packages: string): Promise<void> {
    const steps = `set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/up" "$0/work" "$0/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$0/up",workdir="$0/work" "$0/root"
cd "$0/root"
rm -rf etc/scout-agent var/lib/scout-agent var/lib/scout-hub
mount -t tmpfs tmpfs run
mount -t proc proc proc
mount --rbind /dev dev
mkdir packages
mount --bind "$1" packages
echo ready
exec cat`;
    this.#keeper = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', steps, this.#folder, packages], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#keeper.stdout?.once('data', () => resolve());
    this.#keeper.once('exit', (code) => reject(new Error(`no copy of this system could be mounted (${code})`)));
    await promise;
  }

  /** Runs a line of the shell in it, as root. */
  try(line: string): Left {
    const own = ['env', '-i', 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8', 'HOME=/root'];
    const inside = ['chroot', join(this.#folder, 'root'), ...own, 'sh', '-c', `{ ${line}\n} 2>&1`];
    const done = spawnSync('nsenter', ['-t', String(this.#keeper?.pid), '-m', ...inside], { encoding: 'utf8', timeout: 60_000 });
    return { status: done.status ?? 255, output: done.stdout };
  }

  /** Runs a line of the shell in it, and returns what it printed. Throws where it fails. */
  run(line: string): string {
    const { status, output } = this.try(line);
    if (status !== 0) throw new Error(`${line}: ${status}\n${output}`);
    return output;
  }

  async end(): Promise<void> {
    if (this.#keeper && this.#keeper.exitCode === null) {
      const gone = once(this.#keeper, 'exit');
      this.#keeper.stdin?.end();
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
