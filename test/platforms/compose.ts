import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../../packaging/root.ts';

const FOLDER = join(root, 'packaging/docker');

/** A service of the Compose file, as far as it bears on how its container is run. */
export interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  secrets?: { source: string }[];
  volumes: (string | { type: string; source: string; target: string; read_only?: boolean; bind?: { propagation: string } })[];
  read_only: boolean;
  cap_drop: string[];
  security_opt: string[];
  mem_limit: string;
  pids_limit: number;
}

/** The services of compose.yml, as docker-compose(1) reads them. Throws what it says against the file. */
export function services(): Record<string, Service> {
  // `name` came with Compose 2; the one that Debian has is older.
  const text = readFileSync(join(FOLDER, 'compose.yml'), 'utf8').replace(/^name: .*$/m, '');
  const copy = join(FOLDER, `.compose.${process.pid}.yml`);
  try {
    writeFileSync(copy, text);
    return parse(execFileSync('docker-compose', ['-f', copy, 'config'], { encoding: 'utf8' })).services;
  } finally {
    rmSync(copy, { force: true });
  }
}

/**
 * A service as arguments of `podman run`: the same limits, mounts and settings. `secrets` are the files that stand for the
 * secrets, by name; `volumes` are named anew, so that nothing of this machine's is touched.
 */
export function runArguments(service: Service, secrets: Record<string, string> = {}): string[] {
  const mounts = service.volumes.map((volume) => {
    if (typeof volume === 'string') return volume.replace(/:rw$/, '');
    return `${volume.source}:${volume.target}:${[volume.read_only ? 'ro' : 'rw', volume.bind?.propagation].filter(Boolean).join(',')}`;
  });
  const mounted = (service.secrets ?? []).map(({ source }) => `${secrets[source]}:/run/secrets/${source}:ro`);
  return [
    ...(service.read_only ? ['--read-only', '--read-only-tmpfs=false'] : []),
    ...service.cap_drop.map((name) => `--cap-drop=${name}`),
    ...service.security_opt.map((option) => `--security-opt=${option.replace(':true', '')}`),
    `--memory=${service.mem_limit}`,
    `--pids-limit=${service.pids_limit}`,
    ...[...mounts, ...mounted].flatMap((mount) => ['-v', mount]),
    ...Object.entries(service.environment ?? {}).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
    // The engine's own standard may be above what this machine allows.
    '--ulimit=nofile=1024:1024',
    '--ulimit=nproc=4096:4096',
    '--network=host',
  ];
}
