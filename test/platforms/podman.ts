import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { root } from '../../packaging/root.ts';
import type { Done } from '../helpers/programs.ts';
import { addNode, debianRoot, houseAuthorities } from './base-image.ts';

const DOCKERFILE = 'packaging/docker/Dockerfile';

/** What stands against building and running images here; undefined when nothing does. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  if (!readable('/etc/debian_version')) return 'needs Debian, whose packages stand in for the base images';
  const missing = ['podman', 'runc', 'tini', 'docker-compose'].filter((name) => spawnSync('which', [name]).status !== 0);
  return missing.length > 0 ? `needs ${missing.join(', ')}` : undefined;
}

/** The base image that the Dockerfile names in an argument. */
const baseOf = (argument: string): string =>
  new RegExp(`^ARG ${argument}=(\\S+)$`, 'm').exec(readFileSync(join(root, DOCKERFILE), 'utf8'))?.[1] as string;

/** podman with a storage of its own, which ends with it. */
export class Podman {
  readonly folder = mkdtempSync(join(os.tmpdir(), 'scout-images-'));

  /** Runs podman to its end, and returns what it printed. Throws where it fails. */
  run(...args: string[]): string {
    const done = this.try(...args);
    if (done.status !== 0) throw new Error(`podman ${args.join(' ')}: ${done.status}\n${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  try(...args: string[]): Done {
    return this.feed('', ...args);
  }

  /** The same, with something on stdin. */
  feed(input: string, ...args: string[]): Done {
    const own = ['--root', join(this.folder, 'storage'), '--runroot', join(this.folder, 'run'), '--events-backend=none'];
    const engine = ['--runtime=runc', '--cgroup-manager=cgroupfs', ...own];
    // Its caches of mounts would stay behind elsewhere.
    const env = { ...process.env, TMPDIR: this.folder };
    const done = spawnSync('podman', [...engine, ...args], {
      cwd: root,
      env,
      input,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      timeout: 170_000,
    });
    return { status: done.status ?? 255, stdout: done.stdout, stderr: done.stderr };
  }

  /** Makes the two base images under the names that the Dockerfile has for them. */
  makeBases(): void {
    const [slim, node] = [join(this.folder, 'slim'), join(this.folder, 'node')];
    mkdirSync(slim);
    mkdirSync(node);
    debianRoot(slim, 'libstdc++6', 'libgcc-s1');
    debianRoot(node, 'libstdc++6', 'libgcc-s1', 'apt', 'libatomic1', 'tini');
    addNode(node);
    const settings = ['ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];
    const authorities = houseAuthorities();
    if (authorities) {
      cpSync(authorities, join(node, 'etc/authorities.pem'), { dereference: true });
      settings.push('ENV NODE_EXTRA_CA_CERTS=/etc/authorities.pem');
    }
    const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    settings.push(`ENV npm_config_registry=${registry}`);
    this.#import(slim, baseOf('BASE_IMAGE'), settings.slice(0, 1));
    this.#import(node, baseOf('NODE_IMAGE'), settings);
  }

  /** Builds one target of the Dockerfile as it stands; what was built before is not built again. */
  build(target: string): string {
    const file = ['-f', DOCKERFILE, '--ignorefile', `${DOCKERFILE}.dockerignore`, '--format=docker', '--layers'];
    const alone = ['--isolation=chroot', '--network=host', '--pull=never'];
    this.run('build', ...file, ...alone, '--target', target, '-t', `scout-${target}`, '.');
    return `localhost/scout-${target}`;
  }

  /** Ends its containers, and removes all that it kept. */
  close(): void {
    this.try('rm', '--all', '--force', '--time', '1');
    // Its storage is mounted onto itself; taking the images apart first would only cost time. What tidies up after a
    // container may still be in there.
    spawnSync('umount', ['--recursive', '--lazy', join(this.folder, 'storage/overlay')], { stdio: 'ignore' });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  #import(folder: string, name: string, settings: string[]): void {
    const archive = `${folder}.tar`;
    execFileSync('tar', ['-C', folder, '-cf', archive, '.']);
    this.run('import', '--quiet', ...settings.flatMap((one) => ['--change', one]), archive, name);
    rmSync(archive);
    rmSync(folder, { recursive: true });
  }
}

function readable(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}
