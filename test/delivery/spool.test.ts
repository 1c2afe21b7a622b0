import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { Spool } from '../../src/delivery/spool.ts';
import { beat, drain, openSpool, read, tempFolder } from './support.ts';

/** Makes the disk refuse to open the store: a folder stands in its place. */
function blocked(): { path: string; unblock: () => void } {
  const path = join(tempFolder(), 'outbox.db');
  mkdirSync(path);
  return { path, unblock: () => rmSync(path, { recursive: true }) };
}

describe('a spool', () => {
  it('stores, gives out, and forgets what was delivered', () => {
    const { spool, path } = openSpool();
    for (let i = 0; i < 3; i++) spool.append(beat());
    expect(spool.depth('api')).toBe(3);
    expect(spool.stats()).toMatchObject({ path, depth: 3, durable: true, max_bytes: 64 * 2 ** 20 });
    expect(drain(spool).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(spool.stats().depth).toBe(0);
    expect(spool.losses()).toEqual([]);
  });

  it('says what a destination leaves behind that is gone from the configuration', () => {
    const { spool, lines } = openSpool({}, ['api', 'old']);
    spool.append(beat());
    spool.setDestinations(['api']);
    expect(lines).toMatchObject([{ level: 'warn', fields: { destination: 'old', left: 1 } }]);
  });

  it('takes new bounds', () => {
    const { spool } = openSpool();
    spool.setBounds(2 ** 20, 0);
    for (let i = 0; i < 500; i++) spool.append(beat(1, 4_000));
    expect(spool.stats().bytes).toBeLessThanOrEqual(2 ** 20);
    expect(spool.losses()).toMatchObject([{ reason: 'cap' }]);
  });

  it('does not grow while its disk has less free than the floor, looking every few seconds', () => {
    let free = 2 ** 30;
    let looks = 0;
    const { spool, time } = openSpool({
      minFreeBytes: 2 ** 20,
      freeBytes: () => {
        looks++;
        return free;
      },
    });
    for (let i = 0; i < 200; i++) spool.append(beat(1, 4_000));
    expect(looks).toBe(1);
    free = 0;
    time.advance(5_000);
    const { bytes } = spool.stats();
    for (let i = 0; i < 50; i++) spool.append(beat(1, 4_000));
    expect(spool.stats().bytes).toBeLessThanOrEqual(bytes + 65_536);
    free = 2 ** 30;
    time.advance(5_000);
    for (let i = 0; i < 100; i++) spool.append(beat(1, 4_000));
    expect(spool.stats().bytes).toBeGreaterThan(bytes + 65_536);
    expect(spool.losses()).toMatchObject([{ reason: 'disk-space' }]);
  });

  it('writes one line about what it drops, and reminds once an hour with the count', () => {
    const { spool, time, lines } = openSpool({ maxBytes: 2 ** 20 });
    for (let i = 0; i < 600; i++) spool.append(beat(1, 4_000));
    expect(lines).toHaveLength(1);
    time.advance(3_600_000);
    spool.append(beat(1, 4_000));
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ level: 'warn', fields: { dropped: expect.any(Number) } });
  });

  it('is not stopped by a heartbeat that cannot be made', () => {
    const { spool, lines } = openSpool();
    expect(() =>
      spool.append(() => {
        throw new TypeError('a bug');
      }),
    ).toThrow('a bug');
    expect(spool.append(beat()).sequence).toBe(1);
    expect(lines).toEqual([]);
  });
});

describe('a disk that cannot be written', () => {
  it('is stood in for by memory, under an instance of its own, until it can', () => {
    const { path, unblock } = blocked();
    const { spool, time, lines } = openSpool({ path });
    const inMemory = spool.append(beat(time.now()));
    expect(spool.stats().durable).toBe(false);
    expect(spool.instance).toBe(inMemory.instance);
    unblock();
    time.advance(29_000);
    expect(spool.append(beat(time.now()))).toEqual({ instance: inMemory.instance, sequence: 2 });
    time.advance(1_000);
    const onDisk = spool.append(beat(time.now()));
    expect(onDisk.instance).not.toBe(inMemory.instance);
    expect(spool.stats()).toMatchObject({ durable: true, depth: 3 });
    expect(spool.depth('api')).toBe(3);
    expect(drain(spool).map(({ instance, sequence }) => [instance, sequence])).toEqual([
      [inMemory.instance, 1],
      [inMemory.instance, 2],
      [onDisk.instance, 1],
    ]);
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info']);
  });

  it('gets what is still in memory when the agent ends', () => {
    const { path, unblock } = blocked();
    const first = openSpool({ path });
    const { instance } = first.spool.append(beat());
    unblock();
    first.spool.close();
    const { spool } = openSpool({ path });
    expect(drain(spool).map((row) => read(row))).toMatchObject([{ instance, sequence: 1 }]);
  });

  it('says how many are lost with the memory when it cannot be written at the end either', () => {
    const { path } = blocked();
    const { spool, lines } = openSpool({ path });
    spool.append(beat());
    spool.close();
    expect(lines.at(-1)).toMatchObject({ level: 'error', fields: { lost: 1 } });
  });

  it('loses no count of what memory had to drop', () => {
    const { path, unblock } = blocked();
    const { spool, time } = openSpool({ path, memoryBytes: 2 ** 20 });
    for (let i = 0; i < 500; i++) spool.append(beat(time.now(), 4_000));
    const [lost] = spool.losses();
    expect(lost).toMatchObject({ reason: 'cap' });
    unblock();
    time.advance(30_000);
    spool.append(beat(time.now()));
    drain(spool);
    expect(spool.losses()).toEqual([lost]);
    spool.close();
    expect(openSpool({ path }).spool.losses()).toEqual([lost]);
  });

  it('does not send again what was delivered while it could not be told', () => {
    const { spool, path, time } = openSpool();
    for (let i = 0; i < 4; i++) spool.append(beat());
    const batch = spool.batch('api', 2, 2 ** 20);
    // Another process holds the file: writing fails, reading goes on.
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    spool.delivered('api', batch);
    expect(spool.batch('api', 9, 2 ** 20).map(({ sequence }) => sequence)).toEqual([3, 4]);
    expect(spool.stats().durable).toBe(false);
    other.exec('ROLLBACK');
    other.close();
    time.advance(30_000);
    spool.append(beat());
    expect(spool.stats().durable).toBe(true);
    spool.close();
    expect(drain(openSpool({ path }).spool).map(({ sequence }) => sequence)).toEqual([3, 4, 5]);
  }, 20_000);
});

describe('a file that is no outbox', () => {
  it('is set aside; one such file is kept, and no more', () => {
    const path = join(tempFolder(), 'outbox.db');
    for (const text of ['first', 'second']) {
      rmSync(path, { force: true });
      writeFileSync(path, text.repeat(2_000));
      const { spool, lines, time } = openSpool({ path });
      time.advance(1);
      expect(lines).toMatchObject([{ level: 'error', fields: { path, lost: 'unknown', saved: 0 } }]);
      expect(spool.append(beat()).sequence).toBe(1);
      spool.close();
    }
    expect(readdirSync(dirname(path)).filter((name) => name.includes('damaged'))).toHaveLength(1);
  });

  it('may be empty', () => {
    const path = join(tempFolder(), 'outbox.db');
    writeFileSync(path, '');
    const { spool, lines } = openSpool({ path });
    expect(spool.append(beat()).sequence).toBe(1);
    expect(lines).toEqual([]);
  });
});

it('knows nothing of the disk until it is opened', () => {
  const path = join(tempFolder(), 'outbox.db');
  const { time, log } = openSpool();
  new Spool({ path, maxBytes: 1, minFreeBytes: 0, host: time, log });
  expect(existsSync(path)).toBe(false);
});
