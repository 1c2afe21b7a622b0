import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { unpack } from '../protocol/frame.ts';
import { SCHEMA_VERSION } from './database.ts';
import type { Loss } from './losses.ts';
import { storeFaultDetail } from './sqlite-errors.ts';

/** What `outbox stats` shows. */
export interface OutboxStats {
  instance: string | null;
  /** Number that the next heartbeat gets. */
  next_sequence: number | null;
  /** Heartbeats held. */
  depth: number;
  /** Bytes of the file and its log. */
  bytes: number;
  /** When the oldest and the newest one held were sampled, ms since the epoch. */
  oldest: number | null;
  newest: number | null;
  destinations: { name: string; pending: number }[];
  losses: Loss[];
}

/** Opens an outbox to look at, whether or not an agent has it open; makes no file. Throws SQLite's errors. */
export function openToRead(path: string): DatabaseSync {
  if (existsSync(`${path}-wal`)) return new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  // Without a log nobody has it open, and SQLite need not make the files that it shares with others.
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  return new DatabaseSync(url, { readOnly: true });
}

/** Counts what an outbox holds. */
export function outboxStats(db: DatabaseSync, path: string): OutboxStats {
  const one = (sql: string) => db.prepare(sql).get() as Record<string, unknown>;
  const meta = one('SELECT instance, sequence, position FROM meta') as { instance: string; sequence: number; position: number } | undefined;
  const held = one('SELECT count(*) AS depth, min(time) AS oldest, max(time) AS newest FROM heartbeats');
  const pending =
    'SELECT name, (SELECT count(*) FROM heartbeats WHERE heartbeats.position > cursors.position) AS pending FROM cursors ORDER BY name';
  return {
    instance: meta?.instance ?? null,
    next_sequence: meta?.sequence ?? null,
    depth: held.depth as number,
    bytes: ['', '-wal'].reduce((sum, suffix) => sum + (existsSync(path + suffix) ? statSync(path + suffix).size : 0), 0),
    oldest: held.oldest as number | null,
    newest: held.newest as number | null,
    destinations: db.prepare(pending).all() as { name: string; pending: number }[],
    losses: db.prepare('SELECT reason, count, from_time AS "from", to_time AS "to" FROM losses ORDER BY reason').all() as unknown as Loss[],
  };
}

/** Checks an outbox whole: SQLite's structures, the counters, every frame. Returns what is wrong, nothing when all is well; at most 100 findings. */
export function verifyOutbox(db: DatabaseSync): { heartbeats: number; faults: string[] } {
  const faults: string[] = [];
  let heartbeats = 0;
  try {
    for (const row of db.prepare('PRAGMA integrity_check').iterate())
      if (row.integrity_check !== 'ok') faults.push(String(row.integrity_check));
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version !== SCHEMA_VERSION) faults.push(`its tables are of version ${version}, and this program knows ${SCHEMA_VERSION}`);
    const meta = db.prepare('SELECT instance, sequence, position FROM meta').get();
    let expected: number | undefined;
    const latest = new Map<string, number>();
    for (const row of db.prepare('SELECT position, instance, sequence, frame FROM heartbeats ORDER BY position').iterate()) {
      if (faults.length >= 100) break;
      heartbeats++;
      const [position, instance, sequence] = [Number(row.position), String(row.instance), Number(row.sequence)];
      const place = `heartbeat ${sequence} of instance ${instance}`;
      if (expected !== undefined && position !== expected) faults.push(`${position - expected} heartbeats are missing before ${place}`);
      expected = position + 1;
      if (sequence <= (latest.get(instance) ?? 0)) faults.push(`${place} stands after ${latest.get(instance)}`);
      latest.set(instance, sequence);
      const fault = frameFault(row.frame, instance, sequence);
      if (fault) faults.push(`${place}: ${fault}`);
    }
    if (meta && expected !== undefined && Number(meta.position) !== expected) faults.push('the newest heartbeats are missing');
    const counted = latest.get(String(meta?.instance));
    if (meta && counted !== undefined && counted >= Number(meta.sequence)) faults.push('the counter is behind the heartbeats');
  } catch (error) {
    faults.push(storeFaultDetail(error));
  }
  return { heartbeats, faults };
}

function frameFault(frame: unknown, instance: string, sequence: number): string | undefined {
  try {
    const heartbeat = JSON.parse(unpack(frame as Uint8Array).toString()) as { instance?: unknown; sequence?: unknown };
    return heartbeat.instance === instance && heartbeat.sequence === sequence ? undefined : 'its content is that of another one';
  } catch {
    return 'its content is damaged';
  }
}
