import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { unpack } from '../protocol/frame.ts';
import type { StoredHeartbeat } from './heartbeats.ts';
import type { Loss } from './losses.ts';
import type { Outbox } from './outbox.ts';

const BESIDE = ['', '-wal', '-shm'];
/** After this many unreadable places in a row, with no end known, there is nothing more to find. */
const GIVE_UP = 10_000;
const GROUP = 64;

/** Renames a damaged store with all that belongs to it, and removes earlier ones: one is kept for whoever looks into it. Returns its new path. */
export function setAside(path: string, now: number): string {
  const folder = dirname(path);
  const stem = `${basename(path, '.db')}.damaged-`;
  for (const name of readdirSync(folder)) if (name.startsWith(stem)) rmSync(join(folder, name));
  const aside = join(folder, `${stem}${new Date(now).toISOString().replace(/[:.]/g, '')}.db`);
  for (const suffix of BESIDE) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  return aside;
}

export interface Salvaged {
  saved: number;
  /** Heartbeats that could not be read; undefined when even their number is unknown. */
  lost: number | undefined;
}

/**
 * Saves what can be read of a damaged store into a fresh one, row by row; heartbeats keep their instance and number,
 * and the loss is recorded there. `cursors` are positions in the damaged store, where the process still knew them.
 */
export function salvage(aside: string, into: Outbox, known: ReadonlyMap<string, number> | undefined, now: number): Salvaged {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(aside, { readOnly: true, defensive: false });
    // Lets SQLite read a file that is shorter than its header says.
    db.exec('PRAGMA writable_schema = ON');
  } catch {
    return { saved: 0, lost: undefined };
  }
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch {
      return undefined;
    }
  };
  try {
    const cursors = known ?? readCursors(db, attempt);
    for (const loss of attempt(() => db.prepare('SELECT reason, count, from_time AS "from", to_time AS "to" FROM losses').all()) ?? [])
      into.recordLoss(loss as unknown as Loss);
    const next = attempt(() => (db.prepare('SELECT position FROM meta').get() as { position: number }).position);
    const last = attempt(() => (db.prepare('SELECT max(position) AS last FROM heartbeats').get() as { last: number | null }).last ?? 0);
    const end = next === undefined ? last : Math.max(next - 1, last ?? 0);
    const begin = cursors.size > 0 ? Math.min(...cursors.values()) : ((attempt(() => first(db)) ?? 1) as number) - 1;

    const row = attempt(() => db.prepare('SELECT instance, sequence, time, frame FROM heartbeats WHERE position = ?'));
    if (!row) return lostAll(into, end === undefined ? undefined : end - begin, now);
    into.setDestinations([...cursors.keys()]);
    const places = new Map<string, number>();
    let group: StoredHeartbeat[] = [];
    let [saved, missing, gap] = [0, 0, 0];
    let [before, from, to] = [now, now, now];
    for (let position = begin + 1; end === undefined ? gap < GIVE_UP : position <= end; position++) {
      const found = attempt(() => sound(row.get(position)));
      if (!found) {
        if (missing === 0) from = before;
        missing++;
        gap++;
        to = now;
        continue;
      }
      if (gap > 0) to = found.time;
      gap = 0;
      before = found.time;
      group.push(found);
      saved++;
      for (const [name, cursor] of cursors) if (position <= cursor) places.set(name, saved);
      if (group.length >= GROUP) {
        into.adopt(group);
        group = [];
      }
    }
    into.adopt(group);
    for (const [name, place] of places) into.advance(name, place);
    const lost = missing - (end === undefined ? gap : 0);
    if (lost > 0) into.recordLoss({ reason: 'damaged', count: lost, from: Math.min(from, to), to });
    return { saved, lost: end === undefined ? undefined : lost };
  } finally {
    db.close();
  }
}

function lostAll(into: Outbox, count: number | undefined, now: number): Salvaged {
  if (count !== undefined && count > 0) into.recordLoss({ reason: 'damaged', count, from: now, to: now });
  return { saved: 0, lost: count };
}

function readCursors(db: DatabaseSync, attempt: <T>(read: () => T) => T | undefined): Map<string, number> {
  const rows = attempt(() => db.prepare('SELECT name, position FROM cursors').all()) ?? [];
  return new Map(rows.map((row) => [String(row.name), Number(row.position)]));
}

function first(db: DatabaseSync): number {
  return (db.prepare('SELECT min(position) AS first FROM heartbeats').get() as { first: number | null }).first ?? 1;
}

/** A row whose columns are what they should be and whose frame unpacks; undefined otherwise. */
function sound(row: Record<string, unknown> | undefined): StoredHeartbeat | undefined {
  if (!row || !(row.frame instanceof Uint8Array) || typeof row.instance !== 'string') return undefined;
  if (!Number.isInteger(row.sequence) || !Number.isInteger(row.time)) return undefined;
  unpack(row.frame);
  return row as unknown as StoredHeartbeat;
}
