import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What stands against booting a machine here; undefined when nothing does. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  const missing = ['debootstrap', 'systemd-nspawn', 'nsenter', 'dpkg-deb'].filter((name) => spawnSync('which', [name]).status !== 0);
  if (missing.length > 0) return `needs ${missing.join(', ')}`;
  return mirror() ? undefined : 'needs a Debian whose apt sources name a mirror';
}

/** The mirror of this machine's own apt sources, and its release: what debootstrap takes the machine from. */
function mirror(): { uri: string; codename: string } | undefined {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const told = spawnSync(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', `Codename: ${codename}`, 'Component: main'],
    {
      encoding: 'utf8',
    },
  );
  const uri = told.stdout?.split('\n')[0];
  return codename && uri ? { uri, codename } : undefined;
}

/** What a command inside left. */
export interface Left {
  status: number;
  stdout: string;
  stderr: string;
}

/**
 * A Debian with a real systemd, booted from a folder by nspawn; what happens in it is in memory and gone at its end.
 * Nothing of this host's network is in it.
 */
export class Machine {
  readonly folder = mkdtempSync(join(os.tmpdir(), 'scout-machine-'));
  /** A system that was made before may be used again: nothing is written into it. */
  readonly root = process.env.SCOUT_MACHINE ?? join(this.folder, 'root');
  #container: ChildProcess | undefined;
  #leader = 0;

  /** Makes the system: the smallest Debian with systemd, and what the packages depend on, as apt would bring it. */
  make(): void {
    if (existsSync(this.root)) return;
    const { uri, codename } = mirror() as { uri: string; codename: string };
    const include = '--include=systemd,systemd-sysv,libatomic1,libgcc-s1,libstdc++6,logrotate';
    execFileSync('debootstrap', ['--variant=minbase', include, codename, this.root, uri], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 180_000,
    });
    writeFileSync(join(this.root, 'etc/machine-id'), '');
    writeFileSync(join(this.root, 'etc/hostname'), 'scout-test\n');
  }

  /** Boots it, with a folder of this host under /packages, and waits until systemd says that it is up. */
  async boot(packages: string): Promise<void> {
    const options = ['--volatile=overlay', '--private-network', '--register=no', '--keep-unit', `--bind-ro=${packages}:/packages`];
    this.#container = spawn('systemd-nspawn', ['-D', this.root, ...options, '-b', '--console=pipe'], { stdio: 'ignore' });
    const pid = this.#container.pid as number;
    await until('the first process of the machine', () => {
      this.#leader = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
      return this.#leader > 0 && readFileSync(`/proc/${this.#leader}/comm`, 'utf8') === 'systemd\n';
    });
    await until('a running system', () => /^(running|degraded)\n$/.test(this.try('systemctl', 'is-system-running').stdout));
  }

  /** Runs a command inside to its end. */
  try(command: string, ...args: string[]): Left {
    return this.#run([command, ...args]);
  }

  /** Runs a command inside, and returns what it printed. Throws where it fails. */
  run(command: string, ...args: string[]): string {
    const left = this.#run([command, ...args]);
    if (left.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${left.status}\n${left.stdout}${left.stderr}`);
    return left.stdout;
  }

  /** Runs a line of the shell inside. Throws where it fails. */
  sh(line: string, input = ''): string {
    const left = this.#run(['sh', '-c', line], input);
    if (left.status !== 0) throw new Error(`${line}: ${left.status}\n${left.stdout}${left.stderr}`);
    return left.stdout;
  }

  /**
   * Mounts a file system on a folder inside that answers nobody, as a dead network mount; returns how to let all that
   * hangs on it go.
   */
  hang(path: string): () => void {
    const fd = openSync('/dev/fuse', 'r+');
    const options = 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other';
    const mount = ['mount', '-i', '-t', 'fuse.hung', '-o', options, 'hung', path];
    const done = spawnSync('nsenter', ['-t', String(this.#leader), '-m', ...mount], { stdio: ['ignore', 'pipe', 'pipe', fd] });
    const release = () => closeSync(fd);
    if (done.status === 0) return release;
    release();
    throw new Error(`mount: ${done.stderr}`);
  }

  #run(command: string[], input = ''): Left {
    const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C', 'HOME=/root', 'DEBIAN_FRONTEND=noninteractive'];
    const done = spawnSync('nsenter', ['-t', String(this.#leader), '-a', ...environment, ...command], {
      encoding: 'utf8',
      input,
      timeout: 180_000,
    });
    return { status: done.status ?? 255, stdout: done.stdout, stderr: done.stderr };
  }

  /** Shuts it down as a power button does; one that does not obey within 20 s is ended. Removes its folder. */
  async end(): Promise<void> {
    const container = this.#container;
    if (container && container.exitCode === null) {
      const gone = new Promise<void>((resolve) => container.once('exit', () => resolve()));
      // SIGRTMIN+4 of systemd(1): poweroff. A killed nspawn would leave its systemd behind.
      if (this.#leader > 0) spawnSync('kill', ['-s', 'RTMIN+4', String(this.#leader)]);
      const patience = setTimeout(() => {
        if (this.#leader > 0 && existsSync(`/proc/${this.#leader}`)) process.kill(this.#leader, 'SIGKILL');
        container.kill('SIGKILL');
      }, 20_000);
      await gone;
      clearTimeout(patience);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until something holds; fails with its name after 90 s. What throws does not hold yet. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 90_000; performance.now() < end; await sleep(100)) {
    try {
      if (holds()) return;
    } catch {
      // Not yet.
    }
  }
  throw new Error(`waited in vain for ${what}`);
}
