import { fileURLToPath } from 'node:url';
import { Files, type Statfs } from '../../src/collectors/files.ts';
import type { Space } from '../../src/collectors/probes.ts';
import { type CollectorsConfig, configSchema } from '../../src/config/schema.ts';
import type { Host } from '../../src/support/host.ts';

/** The folders of test/fixtures, a host each. */
export const FIXTURES = ['debian-12', 'rhel-8', 'ubuntu-22.04-arm64', 'linux-3.10'];

/** Path of a fixture, or of a file in it. */
export const fixture = (name: string, file = ''): string => fileURLToPath(new URL(`../fixtures/${name}/${file}`, import.meta.url));

/** A host that is a fixture; its clocks stand unless a test moves them. */
export function fixtureHost(name: string, changes: Partial<Host> = {}): Host {
  const root = fixture(name).replace(/\/$/, '');
  return {
    proc: `${root}/proc`,
    sys: `${root}/sys`,
    root,
    platform: 'linux',
    hostname: () => 'host.example',
    now: () => 0,
    monotonic: () => 0,
    ...changes,
  };
}

/** The collectors' defaults, with `changes`. */
export function collectorSettings(changes: Record<string, unknown> = {}): CollectorsConfig {
  return configSchema.parse({ collectors: changes }).collectors;
}

/** Every file system of a fixture is of this size, and firmware's has no inodes (it is FAT). */
const space = (path: string): Space => ({
  bsize: 4_096,
  blocks: 1_000_000,
  bfree: 600_000,
  bavail: 550_000,
  files: path.endsWith('firmware') ? 0 : 250_000,
  ffree: path.endsWith('firmware') ? 0 : 200_000,
});
const STATFS: Statfs = { now: space, later: async (path) => space(path) };

/** Files whose file systems answer without there being any. */
export const fixtureFiles = (statfs: Partial<Statfs> = {}): Files => new Files({ ...STATFS, ...statfs });
