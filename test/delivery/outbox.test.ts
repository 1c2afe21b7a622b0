import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Outbox, type OutboxOptions } from '../../src/delivery/outbox.ts';
import { beat, read, tempFolder } from './support.ts';

const ROOMY: OutboxOptions = { maxBytes: 64 * 2 ** 20 };

function open(path = ':memory:', options = ROOMY): Outbox {
  const outbox = Outbox.open(path, options);
  onTestFinished(() => outbox.close());
  return outbox;
}

const file = () => join(tempFolder(), 'outbox.db');
const sequences = (outbox: Outbox, name = 'api') => outbox.batch(name, 1_000, 2 ** 30).map(({ sequence }) => sequence);

/** Leaves the files of a store as a crash does: read while it is open, and back in their place once it is closed. */
function crash(outbox: Outbox, withLog = true): void {
  const { path } = outbox;
  const [main, log] = [readFileSync(path), existsSync(`${path}-wal`) && readFileSync(`${path}-wal`)];
  outbox.close();
  writeFileSync(path, main);
  if (withLog && log) writeFileSync(`${path}-wal`, log);
}

describe('a transaction that fails', () => {
  it('leaves neither a loss nor a change of size in what the outbox tells of itself', () => {
    const outbox = open();
    outbox.setDestinations(['api']);
    for (let count = 0; count < 3; count++) outbox.append(beat(undefined, 20_000));
    const [first] = outbox.batch('api', 1, 2 ** 20);
    const before = { losses: outbox.losses, bytes: outbox.bytes };
    // A position that no table takes: the loss is counted, then the cursor refused.
    expect(() => outbox.skip('api', { ...first!, position: Number.NaN }, 'rejected')).toThrow('NOT NULL');
    expect({ losses: outbox.losses, bytes: outbox.bytes }).toEqual(before);
  });
});

describe('what the outbox tells of itself', () => {
  it('follows each change', () => {
    const outbox = open();
    outbox.setDestinations(['api']);
    const empty = outbox.bytes;
    for (let count = 0; count < 40; count++) outbox.append(beat(undefined, 20_000));
    const full = outbox.bytes;
    expect(full).toBeGreaterThan(empty + 40 * 10_000);
    outbox.delivered('api', outbox.batch('api', 30, 2 ** 30));
    expect(outbox.bytes).toBeLessThan(full - 30 * 10_000);
    outbox.skip('api', outbox.batch('api', 1, 2 ** 30)[0]!, 'rejected');
    outbox.skip('api', outbox.batch('api', 1, 2 ** 30)[0]!, 'rejected');
    expect(outbox.losses).toMatchObject([{ reason: 'rejected', count: 2 }]);
    expect(sequences(outbox)).toHaveLength(8);
    expect(outbox.batch('api', 3, 2 ** 30)).toHaveLength(3);
  });
});

describe('numbers', () => {
  it('begin at 1 and go on after a restart, under the same instance', () => {
    const path = file();
    const first = open(path);
    const { instance } = first.append(beat());
    first.append(beat());
    first.close();
    const again = open(path);
    expect(again.append(beat())).toEqual({ instance, sequence: 3 });
  });

  it('stand in the very bytes that are stored', () => {
    const outbox = open();
    outbox.setDestinations(['api']);
    outbox.append(beat());
    const [stored] = outbox.batch('api', 10, 2 ** 20);
    expect(read(stored!)).toMatchObject({ instance: outbox.instance, sequence: 1 });
  });

  it('are not used up by a heartbeat that could not be made', () => {
    const outbox = open();
    expect(() =>
      outbox.append(() => {
        throw new Error('no heartbeat');
      }),
    ).toThrow('no heartbeat');
    expect(outbox.append(beat()).sequence).toBe(1);
  });

  it('are given to a whole group in order', () => {
    const outbox = open();
    expect(outbox.appendGroup([beat(), beat(), beat()]).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  });

  it('begin anew on another machine, and what waits keeps its own', () => {
    const path = file();
    const first = open(path, { ...ROOMY, machine: 'aaaa' });
    first.setDestinations(['api']);
    const { instance } = first.append(beat());
    first.close();
    const clone = open(path, { ...ROOMY, machine: 'bbbb' });
    expect(clone.renewed).toBe('cloned');
    expect(clone.append(beat()).sequence).toBe(1);
    expect(clone.batch('api', 10, 2 ** 20).map((row) => [row.instance, row.sequence])).toEqual([
      [instance, 1],
      [clone.instance, 1],
    ]);
  });

  it('begin anew in a copy that took the place of the file: the backup of another day', () => {
    const path = file();
    const born = (of: string) => statSync(of, { bigint: true }).birthtimeNs;
    const first = open(path);
    first.setDestinations(['api']);
    const { instance } = first.append(beat());
    first.close();
    // Times of files have a few milliseconds.
    const backup = `${path}.backup`;
    for (copyFileSync(path, backup); born(backup) === born(path); copyFileSync(path, backup)) rmSync(backup);
    const second = open(path);
    expect(second.append(beat())).toEqual({ instance, sequence: 2 });
    second.close();
    renameSync(backup, path);
    // As a real one is: made at one time, changed at another.
    do utimesSync(path, 1, 1);
    while (statSync(path, { bigint: true }).ctimeNs === born(path));
    const restored = open(path);
    // Where the file system does not tell when a file was made, it is not noticed.
    expect(restored.renewed).toBe(born(path) > 0n ? 'restored' : undefined);
    restored.append(beat());
    expect(restored.instance === instance).toBe(born(path) === 0n);
    restored.close();
    expect(open(path)).toMatchObject({ renewed: undefined, instance: restored.instance, next: restored.next });
  });

  it('begin anew when another gives out the same, and what waits keeps its own', () => {
    const path = file();
    const outbox = open(path);
    outbox.setDestinations(['api', 'otlp']);
    const { instance } = outbox.append(beat());
    const loss = { reason: 'number-taken', count: 1, from: 1, to: 1 };
    outbox.renew(instance, loss);
    const renewed = outbox.append(beat());
    expect(renewed).toEqual({ instance: expect.not.stringMatching(instance), sequence: 1 });
    // A second destination that finds out later: there is nothing to begin.
    outbox.renew(instance, loss);
    expect(outbox.append(beat())).toEqual({ ...renewed, sequence: 2 });
    expect(outbox.batch('otlp', 10, 2 ** 20).map((row) => row.instance)).toEqual([instance, renewed.instance, renewed.instance]);
    outbox.close();
    expect(open(path)).toMatchObject({ instance: renewed.instance, next: 3, losses: [{ ...loss, count: 2 }] });
  });

  it('go on in a file of an agent that did not note when it was made', () => {
    const path = file();
    const first = open(path);
    const { instance } = first.append(beat());
    first.close();
    const older = new DatabaseSync(path);
    older.exec('ALTER TABLE meta DROP COLUMN born');
    older.close();
    const second = open(path);
    expect(second.append(beat())).toEqual({ instance, sequence: 2 });
    second.close();
    const noted = new DatabaseSync(path);
    expect(noted.prepare('SELECT born FROM meta').get()).toHaveProperty('born');
    noted.close();
  });

  it('go on where the machine has no id', () => {
    const path = file();
    const first = open(path, { ...ROOMY, machine: 'aaaa' });
    const { instance } = first.append(beat());
    first.close();
    expect(open(path).append(beat())).toEqual({ instance, sequence: 2 });
  });
});

describe('a log that went missing', () => {
  function crashed(withLog: boolean): { path: string; instance: string } {
    const path = file();
    const outbox = Outbox.open(path, ROOMY);
    outbox.setDestinations(['api']);
    for (let i = 0; i < 20; i++) outbox.append(beat());
    crash(outbox, withLog);
    return { path, instance: outbox.instance };
  }

  it('is noticed: a new instance begins, for the counter may be behind what was sent', () => {
    const { path, instance } = crashed(false);
    const outbox = open(path);
    expect(outbox.renewed).toBe('rolled-back');
    expect(outbox.append(beat()).instance).not.toBe(instance);
  });

  it('is not suspected after a crash that left it whole', () => {
    const { path, instance } = crashed(true);
    const outbox = open(path);
    expect(outbox.renewed).toBeUndefined();
    expect(outbox.append(beat())).toEqual({ instance, sequence: 21 });
  });

  it('is not suspected after a clean end', () => {
    const path = file();
    const first = open(path);
    const { instance } = first.append(beat());
    first.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(open(path).instance).toBe(instance);
  });
});

describe('destinations', () => {
  it('have a cursor each, and a heartbeat goes when all have it', () => {
    const outbox = open();
    outbox.setDestinations(['a', 'b']);
    outbox.appendGroup([beat(), beat(), beat()]);
    outbox.delivered('a', outbox.batch('a', 2, 2 ** 20));
    expect([outbox.pending('a'), outbox.pending('b'), outbox.depth]).toEqual([1, 3, 3]);
    outbox.delivered('b', outbox.batch('b', 1, 2 ** 20));
    expect([outbox.pending('a'), outbox.pending('b'), outbox.depth]).toEqual([1, 2, 2]);
  });

  it('get nothing twice after a restart', () => {
    const path = file();
    const first = open(path);
    first.setDestinations(['api']);
    first.appendGroup([beat(), beat(), beat()]);
    first.delivered('api', first.batch('api', 2, 2 ** 20));
    first.close();
    const again = open(path);
    expect(sequences(again)).toEqual([3]);
  });

  it('that are new begin at the oldest one held; that are gone say what they had not got', () => {
    const outbox = open();
    outbox.setDestinations(['a']);
    outbox.appendGroup([beat(), beat(), beat()]);
    outbox.delivered('a', outbox.batch('a', 1, 2 ** 20));
    expect(outbox.setDestinations(['b'])).toEqual([{ name: 'a', left: 2 }]);
    expect(sequences(outbox, 'b')).toEqual([2, 3]);
    expect(outbox.setDestinations(['b'])).toEqual([]);
  });

  it('that never took the last ones do not hold others back once they are gone', () => {
    const outbox = open();
    outbox.setDestinations(['a', 'slow']);
    outbox.appendGroup([beat(), beat()]);
    outbox.delivered('a', outbox.batch('a', 2, 2 ** 20));
    expect(outbox.depth).toBe(2);
    outbox.setDestinations(['a']);
    expect(outbox.depth).toBe(0);
  });

  it('read a batch within count and bytes, at least one', () => {
    const outbox = open();
    outbox.setDestinations(['api']);
    outbox.appendGroup([beat(0, 4_000), beat(0, 4_000), beat(0, 4_000)]);
    expect(outbox.batch('api', 2, 2 ** 20)).toHaveLength(2);
    expect(outbox.batch('api', 9, 4_000)).toHaveLength(1);
    expect(outbox.batch('api', 9, 10)).toHaveLength(1);
  });

  it('pass over a heartbeat, which is a loss', () => {
    const outbox = open();
    outbox.setDestinations(['api']);
    outbox.appendGroup([beat(5), beat(7)]);
    const [first] = outbox.batch('api', 1, 2 ** 20);
    outbox.skip('api', first!, 'rejected');
    expect(sequences(outbox)).toEqual([2]);
    expect(outbox.losses).toEqual([{ reason: 'rejected', count: 1, from: 5, to: 5 }]);
  });
});

describe('bounds', () => {
  it('drop the oldest at the cap and count them, for good', () => {
    const path = file();
    const first = open(path, { maxBytes: 2 ** 20 });
    first.setDestinations(['api']);
    for (let i = 1; i <= 400; i++) first.append(beat(i, 5_000));
    expect(first.bytes).toBeLessThanOrEqual(2 ** 20);
    const held = sequences(first);
    expect(held.at(-1)).toBe(400);
    expect(first.losses).toEqual([{ reason: 'cap', count: 400 - held.length, from: 1, to: 400 - held.length }]);
    first.close();
    expect(open(path).losses[0]?.count).toBe(400 - held.length);
    expect(statSync(path).size).toBeLessThan(2 ** 20 + 65_536);
  });

  it('keep the newest, whatever its size', () => {
    const outbox = open(':memory:', { maxBytes: 1 });
    outbox.setDestinations(['api']);
    outbox.append(beat(1, 600_000));
    outbox.append(beat(2, 600_000));
    expect(sequences(outbox)).toEqual([2]);
  });

  it('keep the file from growing while its size is held', () => {
    const path = file();
    const outbox = open(path);
    outbox.setDestinations(['api']);
    for (let i = 1; i <= 200; i++) outbox.append(beat(i, 5_000));
    outbox.holdSize(true);
    const { bytes } = outbox;
    for (let i = 201; i <= 300; i++) outbox.append(beat(i, 5_000));
    expect(outbox.bytes).toBeLessThanOrEqual(bytes);
    expect(outbox.losses[0]).toMatchObject({ reason: 'disk-space', from: 1 });
    outbox.holdSize(false);
    for (let i = 301; i <= 320; i++) outbox.append(beat(i, 5_000));
    expect(outbox.bytes).toBeGreaterThan(bytes);
  });

  it('take back what was dropped while it was on its way and arrived', () => {
    const outbox = open(':memory:', { maxBytes: 2 ** 20 });
    outbox.setDestinations(['api']);
    for (let i = 1; i <= 200; i++) outbox.append(beat(i, 5_000));
    const batch = outbox.batch('api', 100, 2 ** 30);
    for (let i = 201; i <= 500; i++) outbox.append(beat(i, 5_000));
    const before = outbox.losses[0]?.count ?? 0;
    expect(before).toBeGreaterThan(100);
    outbox.delivered('api', batch);
    expect(outbox.losses[0]?.count).toBe(before - 100);
  });

  it('let the file shrink after a backlog, and the log stay small', () => {
    const path = file();
    const outbox = open(path);
    outbox.setDestinations(['api']);
    for (let i = 0; i < 60; i++) outbox.appendGroup(Array.from({ length: 50 }, () => beat(1, 2_000)));
    const full = statSync(path).size + statSync(`${path}-wal`).size;
    expect(full).toBeGreaterThan(4 * 2 ** 20);
    while (outbox.pending('api') > 0) outbox.delivered('api', outbox.batch('api', 500, 2 ** 20));
    for (let i = 0; i < 20; i++) {
      outbox.append(beat());
      outbox.delivered('api', outbox.batch('api', 500, 2 ** 20));
    }
    expect(outbox.bytes).toBeLessThan(200_000);
    outbox.close();
    expect(statSync(path).size).toBeLessThan(2 ** 20 + 65_536);
  });

  it('stay private to the user', () => {
    const path = file();
    open(path).append(beat());
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
  });
});

/*
 * The model is a list. Whatever the order of appends, deliveries, crashes (the files copied as they are) and clean
 * restarts, each destination sees 1, 2, 3, … of one instance, and sees again only what it had not confirmed, or, after a
 * crash, the single one it confirmed last.
 */
describe('as a list', () => {
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 5 }) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('deliver' as const), who: fc.constantFrom('a', 'b'), count: fc.integer({ min: 1, max: 6 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  );

  it('delivers each heartbeat to each destination once, in order', () => {
    const folder = tempFolder();
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const path = join(folder, `${randomUUID()}.db`);
        let outbox = Outbox.open(path, ROOMY);
        outbox.setDestinations(['a', 'b']);
        const { instance } = outbox;
        let appended = 0;
        let crashes = 0;
        const seen: Record<string, number[]> = { a: [], b: [] };
        const deliver = (who: string, count: number) => {
          const batch = outbox.batch(who, count, 2 ** 20);
          for (const row of batch) expect(read(row)).toMatchObject({ instance, sequence: row.sequence });
          seen[who]?.push(...batch.map(({ sequence }) => sequence));
          outbox.delivered(who, batch);
        };
        for (const step of actions) {
          if (step.do === 'append') for (let i = 0; i < step.count; i++) expect(outbox.append(beat()).sequence).toBe(++appended);
          else if (step.do === 'deliver') deliver(step.who, step.count);
          else {
            if (step.do === 'restart') outbox.close();
            else {
              crash(outbox);
              crashes += 1;
            }
            outbox = Outbox.open(path, ROOMY);
          }
        }
        deliver('a', 1_000);
        deliver('b', 1_000);
        const all = Array.from({ length: appended }, (_, index) => index + 1);
        for (const list of Object.values(seen)) {
          expect(list.filter((sequence, index) => sequence !== list[index - 1])).toEqual(all);
          expect(list.length - all.length).toBeLessThanOrEqual(crashes);
        }
        expect(outbox.depth).toBe(0);
        outbox.close();
        for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
      }),
      { numRuns: 25 },
    );
  });
});

it('is a plain SQLite file', () => {
  const path = file();
  open(path).append(beat());
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare('SELECT count(*) AS count FROM heartbeats').get()).toEqual({ count: 1 });
  db.close();
});
