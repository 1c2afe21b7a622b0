import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openToRead, verifyOutbox } from '../../src/delivery/inspect.ts';
import { beat, drain, openSpool } from '../delivery/support.ts';
import { mountSmallDisk } from '../helpers/small-disk.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'scout-disk-'));
const disk = join(folder, 'disk');

const reason = mountSmallDisk(disk, 8);
if (reason) process.stdout.write(`Skipped: ${reason}\n`);
const mount = (option: string) => execFileSync('mount', ['-o', `remount,${option}`, disk], { stdio: 'pipe' });

describe.skipIf(reason !== undefined)('a small disk', () => {
  beforeAll(() => {
    expect(reason).toBeUndefined();
  });
  afterAll(() => {
    execFileSync('umount', ['-l', disk], { stdio: 'pipe' });
    rmSync(folder, { recursive: true, force: true });
  });

  function verified(path: string): string[] {
    const db = openToRead(path);
    try {
      return verifyOutbox(db).faults;
    } finally {
      db.close();
    }
  }

  it('that fills up is left to others: memory takes over, and all arrives once it has room', () => {
    const path = join(disk, 'full.db');
    const ballast = join(disk, 'ballast');
    const { spool, time, lines } = openSpool({ path });
    const made: string[] = [];
    const append = (count: number) => {
      for (let i = 0; i < count; i++) {
        time.advance(10);
        const { instance, sequence } = spool.append(beat(time.now(), 1_000));
        made.push(`${instance} ${sequence}`);
      }
    };
    append(50);
    try {
      for (;;) writeFileSync(ballast, Buffer.alloc(65_536), { flag: 'a' });
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
    append(1_500);
    expect(spool.stats().durable).toBe(false);
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    rmSync(ballast);
    time.advance(30_000);
    append(50);
    expect(spool.stats().durable).toBe(true);
    const got = drain(spool).map(({ instance, sequence }) => `${instance} ${sequence}`);
    expect(got.sort()).toEqual(made.sort());
    expect(spool.losses()).toEqual([]);
    expect(verified(path)).toEqual([]);
    spool.close();
    rmSync(path);
  });

  it('is kept above the floor: the oldest go, counted', () => {
    const path = join(disk, 'floor.db');
    const { spool, time } = openSpool({ path, minFreeBytes: 3 * 2 ** 20 });
    for (let i = 0; i < 3_000; i++) {
      time.advance(100);
      spool.append(beat(time.now(), 3_000));
    }
    expect(spool.stats().durable).toBe(true);
    const [loss] = spool.losses();
    expect(loss?.reason).toBe('disk-space');
    expect(drain(spool).length + (loss?.count ?? 0)).toBe(3_000);
    spool.close();
    rmSync(path);
  });

  it('that turns read-only is stood in for, and used again when it can be written', () => {
    const path = join(disk, 'readonly.db');
    const { spool, time } = openSpool({ path });
    spool.append(beat(time.now()));
    spool.close();
    mount('ro');
    const again = openSpool({ path });
    again.spool.append(beat(again.time.now()));
    expect(again.spool.stats().durable).toBe(false);
    mount('rw');
    again.time.advance(30_000);
    again.spool.append(beat(again.time.now()));
    expect(again.spool.stats().durable).toBe(true);
    expect(drain(again.spool)).toHaveLength(3);
    again.spool.close();
  });
});
