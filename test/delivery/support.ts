import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Make, StoredHeartbeat } from '../../src/delivery/heartbeats.ts';
import type { Timers } from '../../src/delivery/sender.ts';
import { Spool, type SpoolOptions } from '../../src/delivery/spool.ts';
import { unpack } from '../../src/protocol/frame.ts';
import type { Log } from '../../src/support/log.ts';

/** A folder that lasts as long as the test. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-delivery-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Makes a heartbeat whose JSON tells its place, as the agent does; `size` bytes that do not compress. */
export function beat(time = 1_700_000_000_000, size = 0): Make {
  const noise = Array.from({ length: Math.ceil(size / 4) }, () => Math.floor(Math.random() * 46_656).toString(36)).join('-');
  return (instance, sequence) => ({ json: JSON.stringify({ v: 1, instance, sequence, time, noise }), time });
}

export interface Line {
  level: keyof Log;
  fields: Record<string, unknown>;
  message: string;
}

/** A log that keeps its lines. */
function keepLog(): { log: Log; lines: Line[] } {
  const lines: Line[] = [];
  const write = (level: keyof Log) => (fields: Record<string, unknown>, message: string) => void lines.push({ level, fields, message });
  return { log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }, lines };
}

/** Clocks and timers that move only when told. */
class FakeTime implements Timers {
  readonly root = '/nonexistent';
  wall = 1_700_000_000_000;
  mono = 1_000;
  #next = 1;
  readonly #timers = new Map<number, { at: number; work: () => void }>();

  now = () => this.wall;
  monotonic = () => this.mono;

  set(work: () => void, ms: number): unknown {
    this.#timers.set(this.#next, { at: this.mono + ms, work });
    return this.#next++;
  }

  clear(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Moves both clocks on, and runs what falls due. */
  advance(ms: number): void {
    this.wall += ms;
    this.mono += ms;
    for (const [id, { at, work }] of [...this.#timers]) {
      if (at > this.mono) continue;
      this.#timers.delete(id);
      work();
    }
  }
}

/** A spool in a folder of its own, closed after the test. */
export function openSpool(over: Partial<SpoolOptions> = {}, destinations = ['api']) {
  const time = new FakeTime();
  const { log, lines } = keepLog();
  const path = over.path ?? join(tempFolder(), 'outbox.db');
  const spool = new Spool({ path, maxBytes: 64 * 2 ** 20, minFreeBytes: 0, host: time, log, ...over });
  spool.open();
  spool.setDestinations(destinations);
  onTestFinished(() => spool.close());
  return { spool, path, time, log, lines };
}

/** What a frame says. */
export function read(heartbeat: StoredHeartbeat): { instance: string; sequence: number; time: number } {
  return JSON.parse(unpack(heartbeat.frame).toString());
}

/** Every heartbeat that a destination lacks, taken as a sender takes them. */
export function drain(spool: Spool, destination = 'api', maxCount = 50): StoredHeartbeat[] {
  const found: StoredHeartbeat[] = [];
  for (;;) {
    const batch = spool.batch(destination, maxCount, 2 ** 20);
    if (batch.length === 0) return found;
    found.push(...batch);
    spool.delivered(destination, batch);
  }
}
