import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openToRead, verifyOutbox } from '../../src/delivery/inspect.ts';
import { beat, drain, openSpool } from './support.ts';

const COUNT = 120;
const DELIVERED = 10;

/** The files of a store that holds 110 heartbeats, as a crash leaves them or after a clean end. */
function store(clean: boolean): { path: string; instance: string } {
  const { spool, path, time } = openSpool();
  for (let i = 0; i < COUNT; i++) spool.append(beat(time.now() + i, 1_500));
  spool.delivered('api', spool.batch('api', DELIVERED, 2 ** 30));
  const { instance } = spool;
  const [main, log] = [readFileSync(path), readFileSync(`${path}-wal`)];
  spool.close();
  if (!clean) {
    writeFileSync(path, main);
    writeFileSync(`${path}-wal`, log);
  }
  return { path, instance };
}

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

function flip(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x55;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

function verify(path: string): string[] {
  const db = openToRead(path);
  try {
    return verifyOutbox(db).faults;
  } finally {
    db.close();
  }
}

/** Opens it as the agent would, and takes everything; the losses are told, and no number is used again. */
function recover(path: string, instance: string) {
  const { spool, lines } = openSpool({ path });
  const fresh = spool.append(beat());
  const got = drain(spool);
  const old = got.filter((row) => row.instance === instance).map(({ sequence }) => sequence);
  const lost = spool.losses().find(({ reason }) => reason === 'damaged')?.count ?? 0;
  if (fresh.instance === instance) expect(fresh.sequence).toBe(COUNT + 1);
  else expect(fresh.sequence).toBe(1);
  expect(new Set(old).size).toBe(old.length);
  expect(old).toEqual([...old].sort((a, b) => a - b));
  return { old: old.filter((sequence) => sequence <= COUNT), lost, lines, spool };
}

describe('a damaged outbox', () => {
  it('is whole to begin with', () => {
    const { path, instance } = store(true);
    expect(verify(path)).toEqual([]);
    const { old, lost } = recover(path, instance);
    expect([old.length, lost]).toEqual([COUNT - DELIVERED, 0]);
  });

  it('with pages of zeros gives what the others hold, and counts the rest exactly', () => {
    const { path, instance } = store(true);
    const pages = statSync(path).size / 4_096;
    overwrite(path, 4_096 * Math.floor(pages / 2), Buffer.alloc(4_096 * 10));
    expect(verify(path).length).toBeGreaterThan(0);
    const { old, lost, lines } = recover(path, instance);
    expect(old.length).toBeGreaterThan(60);
    expect(lost).toBeGreaterThan(0);
    expect(old.length + lost).toBe(COUNT - DELIVERED);
    expect(lines.find(({ level }) => level === 'error')?.fields).toMatchObject({ saved: expect.any(Number), lost });
    expect(readdirSync(dirname(path)).some((name) => name.startsWith('outbox.damaged-'))).toBe(true);
    expect(verify(path)).toEqual([]);
  });

  it('that is cut short gives its beginning', () => {
    const { path, instance } = store(true);
    truncateSync(path, Math.floor(statSync(path).size / 2 / 4_096) * 4_096);
    expect(verify(path).length).toBeGreaterThan(0);
    const { old, lost } = recover(path, instance);
    expect(old.length + lost).toBe(COUNT - DELIVERED);
  });

  it('without its first page begins anew', () => {
    const { path, instance } = store(true);
    overwrite(path, 0, Buffer.alloc(4_096));
    const { old, lines } = recover(path, instance);
    expect(old).toEqual([]);
    expect(lines[0]).toMatchObject({ level: 'error', fields: { lost: 'unknown' } });
  });

  it('without its log uses no number again', () => {
    const { path, instance } = store(false);
    rmSync(`${path}-wal`);
    const { lines } = recover(path, instance);
    expect(lines.filter(({ level }) => level !== 'info')).not.toEqual([]);
  });

  it('with a log cut anywhere uses no number again', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (share) => {
        const { path, instance } = store(false);
        truncateSync(`${path}-wal`, Math.floor(statSync(`${path}-wal`).size * share));
        // What a cut at a frame's border took cannot be told from the file; it is not what crashes do. See docs/delivery.md.
        const { spool } = openSpool({ path });
        const { sequence, instance: now } = spool.append(beat());
        if (now !== instance) expect(sequence).toBe(1);
        spool.close();
      }),
      { numRuns: 4 },
    );
  });

  it('with a log flipped anywhere uses no number again, or fails nothing', () => {
    const where = fc.oneof(
      fc.record({ from: fc.constant(0), at: fc.integer({ min: 0, max: 55 }) }),
      fc.record({ from: fc.double({ min: 0, max: 0.99, noNaN: true }), at: fc.integer({ min: 0, max: 4_119 }) }),
    );
    fc.assert(
      fc.property(where, ({ from, at }) => {
        const { path, instance } = store(false);
        const { size } = statSync(`${path}-wal`);
        flip(`${path}-wal`, Math.min(size - 1, Math.floor(size * from) + at));
        recover(path, instance);
      }),
      { numRuns: 8 },
    );
  });

  it('with a byte flipped anywhere goes on, and sends nothing twice', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (share) => {
        const { path, instance } = store(true);
        flip(path, Math.floor(statSync(path).size * share));
        recover(path, instance);
      }),
      { numRuns: 8 },
    );
  });
});
