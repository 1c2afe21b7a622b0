import type { DatabaseSync } from 'node:sqlite';
import { ROLLUP_MS } from '../stream.ts';

/** Places that no heartbeat ever shares, readers of them, duties, roll-ups, and notices of silence. */
export function stream(database: DatabaseSync): void {
  giveNumbersOnce(database);
  database.exec(`
    CREATE TABLE cursors (
      name TEXT PRIMARY KEY,
      place INTEGER NOT NULL,
      lost INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    -- What leaves the window unread is counted where it leaves; of a server that is removed nothing is missed.
    CREATE TRIGGER heartbeats_lost AFTER DELETE ON heartbeats
    WHEN EXISTS (SELECT 1 FROM cursors WHERE place < old.number) AND EXISTS (SELECT 1 FROM servers WHERE number = old.server)
    BEGIN
      UPDATE cursors SET lost = lost + 1 WHERE place < old.number;
    END;

    CREATE TABLE leases (
      name TEXT PRIMARY KEY,
      holder TEXT NOT NULL,
      until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Stretches to be rolled up; taken: somebody reads them now, so that what comes in meanwhile must clear it.
    CREATE TABLE unrolled (
      server INTEGER NOT NULL,
      time INTEGER NOT NULL,
      since INTEGER NOT NULL,
      taken INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (server, time)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX unrolled_since ON unrolled (since);
    CREATE TRIGGER heartbeats_unrolled AFTER INSERT ON heartbeats BEGIN
      INSERT INTO unrolled (server, time, since) VALUES (new.server, new.time - new.time % ${ROLLUP_MS}, new.received)
      ON CONFLICT DO UPDATE SET taken = 0, since = excluded.since WHERE taken = 1;
    END;

    -- No foreign key, as with heartbeats.
    CREATE TABLE rollups (
      number INTEGER PRIMARY KEY,
      server INTEGER NOT NULL,
      time INTEGER NOT NULL,
      frame BLOB NOT NULL,
      UNIQUE (server, time)
    ) STRICT;
    CREATE INDEX rollups_time ON rollups (time);
    INSERT INTO meta (name, value) VALUES ('rollup_bytes', '0');
    CREATE TRIGGER rollups_more AFTER INSERT ON rollups BEGIN
      UPDATE meta SET value = value + length(new.frame) WHERE name = 'rollup_bytes';
    END;
    CREATE TRIGGER rollups_less AFTER DELETE ON rollups BEGIN
      UPDATE meta SET value = value - length(old.frame) WHERE name = 'rollup_bytes';
    END;

    CREATE TABLE told (
      server INTEGER PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
      state TEXT NOT NULL CHECK (state IN ('alive', 'late', 'silent')),
      at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE notices (
      id TEXT PRIMARY KEY,
      body TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      tries INTEGER NOT NULL,
      next_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX notices_next ON notices (next_at);
  `);
}

/** When a server's requests were last refused, which the fleet shows; and its ended keys by server, which its page shows. */
export function refusedAt(database: DatabaseSync): void {
  database.exec(`
    ALTER TABLE refusals ADD COLUMN last_at INTEGER;
    CREATE INDEX ended_keys_server ON ended_keys (server);
  `);
}

/**
 * AUTOINCREMENT for the heartbeats: without it a window that was emptied begins with number 1 again, and a reader that
 * stands further would pass over what comes. The table stays where it is, for its form on disk is the same: copying a
 * window of gigabytes would take the room of a second one.
 */
function giveNumbersOnce(database: DatabaseSync): void {
  const { schema_version: version } = database.prepare('PRAGMA schema_version').get() as { schema_version: number };
  database.enableDefensive(false);
  database.exec(`
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'number INTEGER PRIMARY KEY,', 'number INTEGER PRIMARY KEY AUTOINCREMENT,')
    WHERE name = 'heartbeats';
    INSERT INTO sqlite_sequence (name, seq) SELECT 'heartbeats', coalesce(max(number), 0) FROM heartbeats;
    PRAGMA schema_version = ${version + 1};
    PRAGMA writable_schema = RESET;
  `);
  database.enableDefensive(true);
}
