import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Cursor, Placed } from '../stream.ts';
import { transaction } from './transaction.ts';

/** Heartbeats in their order, where their readers stand, and who has which duty: that part of the SQLite store. */
export class Stream {
  readonly #database: DatabaseSync;
  readonly #after: StatementSync;
  readonly #cursor: StatementSync;
  readonly #open: Record<'now' | 'start', StatementSync>;
  readonly #move: StatementSync;
  readonly #lease: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#after = database.prepare(`
      SELECT h.number, h.time, h.received, h.frame, s.id, s.org, s.name
      FROM heartbeats AS h JOIN servers AS s ON s.number = h.server
      WHERE h.number > ? ORDER BY h.number LIMIT ?`);
    this.#cursor = database.prepare('SELECT place, lost FROM cursors WHERE name = ?');
    this.#open = {
      now: database.prepare(
        `INSERT INTO cursors (name, place) VALUES (?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'heartbeats'), 0))`,
      ),
      start: database.prepare('INSERT INTO cursors (name, place) VALUES (?, 0)'),
    };
    this.#move = database.prepare('UPDATE cursors SET place = ?2 WHERE name = ?1 AND place < ?2');
    this.#lease = database.prepare(`
      INSERT INTO leases (name, holder, until) VALUES (?1, ?2, ?3 + ?4)
      ON CONFLICT DO UPDATE SET holder = ?2, until = ?3 + ?4 
      WHERE holder = ?2 OR until <= ?3 OR (?4 > 0 AND until > ?3 + 6 * ?4)`);
  }

  after(place: number, most: number, bytes: number): Placed[] {
    const found: Placed[] = [];
    let size = 0;
    for (const row of this.#after.iterate(place, most)) {
      const one = placedOf(row as Record<string, SQLOutputValue>);
      size += one.frame.length;
      if (found.length > 0 && size > bytes) break;
      found.push(one);
    }
    return found;
  }

  openCursor(name: string, from: 'now' | 'start'): Cursor {
    return (
      this.#find(name) ??
      transaction(this.#database, () => {
        const found = this.#find(name);
        if (!found) this.#open[from].run(name);
        return found ?? (this.#find(name) as Cursor);
      })
    );
  }

  #find(name: string): Cursor | undefined {
    const row = this.#cursor.get(name);
    return row && { place: row.place as number, lost: row.lost as number };
  }

  moveCursor(name: string, place: number): void {
    this.#move.run(name, place);
  }

  lease(name: string, holder: string, now: number, ms: number): boolean {
    return this.#lease.run(name, holder, now, ms).changes === 1 && ms > 0;
  }
}

function placedOf(row: Record<string, SQLOutputValue>): Placed {
  return {
    place: row.number as number,
    server: { id: row.id as string, org: row.org as string, name: row.name as string },
    time: row.time as number,
    received: row.received as number,
    frame: row.frame as Uint8Array,
  };
}
