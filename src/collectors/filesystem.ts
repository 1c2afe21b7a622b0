import type { CollectorsConfig } from '../config/schema.ts';
import { parseMountinfo } from '../procfs/mountinfo.ts';
import type { Metric, Point } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import { type Collector, type CollectorDefinition, metric } from './collector.ts';
import { type Files, isDenied } from './files.ts';
import { type Place, places } from './mounts.ts';
import type { Space } from './probes.ts';

/** Longest that a heartbeat waits for file systems that may hang, in ms. */
const PATIENCE = 100;

/** Space and inodes of every file system with space of its own. */
class Filesystem implements Collector {
  readonly #host: Host;
  readonly #settings: CollectorsConfig['filesystem'];
  readonly #files: Files;
  #table = '';
  #places: Place[] = [];
  #stale: string[] = [];
  #denied: string[] = [];

  constructor(host: Host, settings: CollectorsConfig['filesystem'], files: Files) {
    this.#host = host;
    this.#settings = settings;
    this.#files = files;
  }

  collect(): Metric[] | Promise<Metric[]> {
    this.#readTable();
    const answers = new Map<string, Space | Error>();
    const remote: string[] = [];
    for (const { path, remote: mayHang } of this.#places) {
      if (mayHang) remote.push(path);
      else answers.set(path, this.#ask(path));
    }
    if (remote.length === 0) return this.#metrics(answers);
    return this.#files.probes.ask(remote, PATIENCE).then((late) => {
      for (const [path, answer] of late) answers.set(path, answer);
      return this.#metrics(answers);
    });
  }

  stale(): string[] {
    return this.#stale;
  }

  denied(): string[] {
    return this.#denied;
  }

  /** The table seldom changes, and reading it is cheaper than parsing it. */
  #readTable(): void {
    const { proc } = this.#host;
    const table = this.#files.text(proc === '/proc' ? '/proc/self/mountinfo' : `${proc}/1/mountinfo`);
    if (table === this.#table) return;
    this.#table = table;
    this.#places = places(parseMountinfo(table), this.#host, {
      types: this.#settings.exclude_types,
      mounts: this.#settings.exclude_mounts,
    });
  }

  #ask(path: string): Space | Error {
    try {
      return this.#files.space(path);
    } catch (error) {
      return error as Error;
    }
  }

  #metrics(answers: Map<string, Space | Error>): Metric[] {
    const usage: Point[] = [];
    const inodes: Point[] = [];
    const readOnly: Point[] = [];
    const stale: Point[] = [];
    this.#stale = [];
    this.#denied = [];
    for (const { path, mountPoint, source, type, readOnly: ro, remote } of this.#places) {
      const space = answers.get(path);
      if (remote) stale.push([mountPoint, space ? 0 : 1]);
      if (!space) this.#stale.push(mountPoint);
      if (space instanceof Error && isDenied(space)) this.#denied.push(mountPoint);
      // Refused (no permission to enter, just unmounted), or of no size (autofs-like): nothing to tell.
      if (!space || space instanceof Error || space.blocks === 0) continue;
      const { bsize, blocks, bfree, bavail, files, ffree } = space;
      const labels = [source, mountPoint, type, ro ? 'ro' : 'rw'];
      usage.push([...labels, 'used', (blocks - bfree) * bsize], [...labels, 'free', bavail * bsize]);
      if (bfree > bavail) usage.push([...labels, 'reserved', (bfree - bavail) * bsize]);
      if (files > 0) inodes.push([mountPoint, 'used', files - ffree], [mountPoint, 'free', ffree]);
      readOnly.push([mountPoint, ro ? 1 : 0]);
    }
    const at = 'system.filesystem.mountpoint';
    return [
      metric(
        'system.filesystem.usage',
        'By',
        'updowncounter',
        ['system.device', at, 'system.filesystem.type', 'system.filesystem.mode', 'system.filesystem.state'],
        usage,
      ),
      metric('scout.filesystem.inodes', '{inode}', 'updowncounter', [at, 'system.filesystem.state'], inodes),
      metric('scout.filesystem.readonly', '1', 'gauge', [at], readOnly),
      metric('scout.filesystem.stale', '1', 'gauge', [at], stale),
    ].filter((found) => found.points.length > 0);
  }
}

export const filesystem: CollectorDefinition<'filesystem'> = {
  name: 'filesystem',
  summary: 'Space and inodes of mounted file systems.',
  create: (host, settings, files) => new Filesystem(host, settings, files),
};
