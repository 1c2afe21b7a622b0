import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatDuration } from '../support/durations.ts';
import type { Host } from '../support/host.ts';
import type { Log } from '../support/log.ts';
import type { Make } from './heartbeats.ts';
import { type Loss, type LossStatus, lossStatus } from './losses.ts';
import { machineMark } from './machine.ts';
import { Outbox, type Pending } from './outbox.ts';
import { salvage, setAside } from './salvage.ts';
import { storeFault, storeFaultDetail } from './sqlite-errors.ts';

const RETRY_MS = 30_000;
const SPACE_CHECK_MS = 5_000;
const REMIND_MS = 3_600_000;
const MEMORY_BYTES = 16 * 2 ** 20;

export interface SpoolOptions {
  /** File of the outbox. */
  path: string;
  maxBytes: number;
  /** Free bytes of its disk below which it does not grow. */
  minFreeBytes: number;
  host: Pick<Host, 'now' | 'monotonic' | 'root'>;
  log: Log;
  /** Bytes kept in memory while the disk cannot be written; 16 MiB unless set. */
  memoryBytes?: number;
  /** Free bytes of the disk under a folder; statfs(2) unless set. */
  freeBytes?: (folder: string) => number;
}

/**
 * What the daemon puts heartbeats into and senders take them from: the outbox on the disk, and one in memory for as
 * long as the disk cannot be written. A damaged file is set aside and what can be read of it is saved. `append` fails
 * only when `make` does.
 */
export class Spool {
  #options: SpoolOptions;
  #disk: Outbox | undefined;
  #memory: Outbox | undefined;
  #destinations: string[] = [];
  /** Set while the disk cannot be written. */
  #trouble: { since: number; nextTry: number } | undefined;
  #spaceCheckedAt = Number.NEGATIVE_INFINITY;
  #dropped = { reported: 0, at: Number.NEGATIVE_INFINITY };

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  /** Opens the store. Does not throw: where the disk cannot be used, memory serves until it can. */
  open(): void {
    try {
      this.#disk = this.#openDisk();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Stores one heartbeat under the next number of the store in use; on return it is durable, if any disk can make it so. */
  append(make: Make): { instance: string; sequence: number } {
    if (this.#trouble && this.#options.host.monotonic() >= this.#trouble.nextTry) this.#retry();
    if (this.#disk && !this.#trouble) {
      this.#checkSpace(this.#disk);
      const made = this.#onDisk((disk) => disk.append(make));
      this.#reportDropped();
      if (made) return made;
    }
    return this.#inMemory().append(make);
  }

  /** Who counts the heartbeats that are appended now. */
  get instance(): string {
    return (this.#trouble || !this.#disk ? this.#inMemory() : this.#disk).instance;
  }

  /** What a destination lacks, oldest first; all of one store. At most `maxCount`, at most `maxBytes` of frames, at least one if there is any. */
  batch(destination: string, maxCount: number, maxBytes: number): Pending[] {
    const disk = this.#disk ? (this.#onDisk((store) => store.batch(destination, maxCount, maxBytes)) ?? []) : [];
    if (!this.#memory) return disk;
    const memory = this.#memory.batch(destination, maxCount, maxBytes);
    const memoryIsOlder = memory[0] && (!disk[0] || memory[0].time < disk[0].time);
    return memoryIsOlder ? memory : disk;
  }

  /** A destination has all of a batch that `batch` gave out. */
  delivered(destination: string, batch: StoredBatch): void {
    this.#settle(batch[0], (store) => store.delivered(destination, batch as Pending[]));
  }

  /** A destination will never take this heartbeat: passes over it, and counts the loss. */
  skip(destination: string, heartbeat: Pending, reason: string): void {
    this.#settle(heartbeat, (store) => store.skip(destination, heartbeat, reason));
  }

  /** A service took some of a batch for another's of the same numbers: the next are a new instance's. */
  renew(batch: StoredBatch, loss: Loss): void {
    this.#settle(batch[0], (store) => store.renew(batch.at(-1)?.instance ?? '', loss));
  }

  /** Sets who gets heartbeats. A new name begins at the oldest one held; a name that is gone leaves what it had not got. */
  setDestinations(names: string[]): void {
    this.#destinations = names;
    const gone = this.#disk ? (this.#onDisk((disk) => disk.setDestinations(names)) ?? []) : [];
    this.#memory?.setDestinations(names);
    for (const { name, left } of gone) this.#options.log.warn({ destination: name, left }, 'destination removed from the configuration');
  }

  /** Sets the bounds anew, after a reload. */
  setBounds(maxBytes: number, minFreeBytes: number): void {
    this.#options = { ...this.#options, maxBytes, minFreeBytes };
    if (this.#disk) this.#disk.maxBytes = maxBytes;
    this.#spaceCheckedAt = Number.NEGATIVE_INFINITY;
  }

  /** Heartbeats that a destination lacks. */
  depth(destination: string): number {
    return (this.#disk?.pending(destination) ?? 0) + (this.#memory?.pending(destination) ?? 0);
  }

  /** `depth` counts heartbeats that any destination lacks; `durable` is false while new ones are kept in memory. */
  stats(): { path: string; depth: number; bytes: number; max_bytes: number; durable: boolean } {
    const stores = this.#stores();
    const sum = (of: (store: Outbox) => number) => stores.reduce((total, store) => total + of(store), 0);
    const bytes = this.#guard(() => sum((store) => store.bytes)) ?? 0;
    const { path, maxBytes } = this.#options;
    return { path, depth: sum((store) => store.depth), bytes, max_bytes: maxBytes, durable: this.#disk !== undefined && !this.#trouble };
  }

  /** Every heartbeat that will not arrive, by reason, since the outbox was made. */
  losses(): LossStatus[] {
    return lossStatus(this.#stores().flatMap((store) => this.#guard(() => store.losses) ?? []));
  }

  /** Closes the store. What is only in memory goes to the disk if that can be written by now. */
  close(): void {
    if (this.#memory && this.#memory.depth > 0) this.#retry();
    if (this.#memory && this.#memory.depth > 0) {
      const left = this.#memory.depth;
      const rows = this.#memory.batch('', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      if (this.#trouble || !this.#onDisk((disk) => [disk.adopt(rows)]))
        this.#options.log.error({ lost: left }, 'heartbeats in memory could not be saved to the outbox before the end');
    }
    this.#memory?.close();
    this.#disk?.close();
    this.#memory = undefined;
    this.#disk = undefined;
  }

  #stores(): Outbox[] {
    return [this.#disk, this.#memory].filter((store) => store !== undefined);
  }

  #openDisk(after?: Outbox): Outbox {
    const { path, maxBytes, host, log } = this.#options;
    let disk: Outbox;
    try {
      disk = Outbox.open(path, { maxBytes, machine: machineMark(host), after });
    } catch (error) {
      if (storeFault(error) !== 'damaged') throw error;
      disk = this.#rescue(error, after?.cursors);
    }
    if (disk.renewed) log.warn({ path, reason: disk.renewed, instance: disk.instance }, 'the outbox counts anew, as a new instance');
    if (this.#destinations.length > 0) disk.setDestinations(this.#destinations);
    return disk;
  }

  #rescue(error: unknown, known?: ReadonlyMap<string, number>): Outbox {
    const { path, maxBytes, host, log } = this.#options;
    const aside = setAside(path, host.now());
    const disk = Outbox.open(path, { maxBytes, machine: machineMark(host) });
    const { saved, lost } = salvage(aside, disk, known, host.now());
    log.error(
      { path, set_aside: aside, detail: storeFaultDetail(error), saved, lost: lost ?? 'unknown' },
      'the outbox is damaged: it was set aside, and what can be read was saved',
    );
    return disk;
  }

  /** Works on the disk's store; a damaged one is rescued and worked on again. Undefined when the disk cannot do it. */
  #onDisk<T>(work: (disk: Outbox) => T): T | undefined {
    for (let attempt = 0; this.#disk; attempt++) {
      try {
        return work(this.#disk);
      } catch (error) {
        const fault = storeFault(error);
        if (!fault) throw error;
        if (fault === 'unwritable' || attempt > 0) {
          this.#fail(error);
          return undefined;
        }
        this.#replaceDamaged(error);
      }
    }
    return undefined;
  }

  #replaceDamaged(error: unknown): void {
    const known = new Map(this.#disk?.cursors);
    this.#disk?.close();
    this.#disk = undefined;
    try {
      this.#disk = this.#rescue(error, known);
      this.#disk.setDestinations(this.#destinations);
    } catch (worse) {
      this.#fail(worse);
    }
  }

  #settle(first: Pending | undefined, work: (store: Outbox) => void): void {
    if (first && first.store === this.#memory) {
      work(this.#memory);
      if (this.#memory.depth === 0 && !this.#trouble) this.#endMemory();
    } else if (first && first.store === this.#disk) {
      // After a rescue the rows have other places: they are sent once more, and counted there as duplicates.
      this.#onDisk((disk) => (disk === first.store ? work(disk) : undefined));
    }
  }

  #fail(error: unknown): void {
    const { host, log, path } = this.#options;
    const now = host.monotonic();
    if (!this.#trouble) log.error({ path, detail: storeFaultDetail(error) }, 'the outbox cannot be written: heartbeats are kept in memory');
    this.#trouble = { since: this.#trouble?.since ?? now, nextTry: now + RETRY_MS };
  }

  /** Opens the file anew: a handle that has failed may be read-only, or not know what reached the disk. */
  #retry(): void {
    const old = this.#disk;
    try {
      const fresh = this.#openDisk(old);
      if (old && old.instance === fresh.instance) for (const [name, position] of old.cursors) fresh.advance(name, position);
      fresh.begin();
      old?.close();
      this.#disk = fresh;
    } catch (error) {
      this.#fail(error);
      return;
    }
    const { host, log, path } = this.#options;
    log.info({ path, after: formatDuration(host.monotonic() - (this.#trouble?.since ?? 0)) }, 'the outbox is written again');
    this.#trouble = undefined;
    if (this.#memory?.depth === 0) this.#endMemory();
  }

  #inMemory(): Outbox {
    if (!this.#memory) {
      this.#memory = Outbox.open(':memory:', { maxBytes: this.#options.memoryBytes ?? MEMORY_BYTES });
      this.#memory.setDestinations(this.#destinations);
    }
    return this.#memory;
  }

  #endMemory(): void {
    const memory = this.#memory;
    if (!memory) return;
    for (const loss of memory.losses) this.#onDisk((disk) => disk.recordLoss(loss));
    this.#memory = undefined;
    memory.close();
  }

  #checkSpace(disk: Outbox): void {
    const { host, path, minFreeBytes, freeBytes = statfsFree } = this.#options;
    const now = host.monotonic();
    if (now - this.#spaceCheckedAt < SPACE_CHECK_MS) return;
    this.#spaceCheckedAt = now;
    const free = this.#guard(() => freeBytes(dirname(path)));
    if (free !== undefined) disk.holdSize(free < minFreeBytes);
  }

  #reportDropped(): void {
    const dropped = this.#disk?.dropped ?? 0;
    const now = this.#options.host.monotonic();
    if (dropped < this.#dropped.reported) this.#dropped.reported = 0;
    if (dropped === this.#dropped.reported || now - this.#dropped.at < REMIND_MS) return;
    this.#options.log.warn(
      { dropped: dropped - this.#dropped.reported, losses: this.losses() },
      'the outbox is full: the oldest heartbeats are dropped',
    );
    this.#dropped = { reported: dropped, at: now };
  }

  #guard<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch {
      return undefined;
    }
  }
}

type StoredBatch = readonly Pending[];

function statfsFree(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
