import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { ScoutError } from '../../../support/errors.ts';
import { refusedAt, stream } from './migrations-stream.ts';
import { transaction } from './transaction.ts';

type Migration = (database: DatabaseSync) => void;

/** From version n to n + 1; forward only, and never edited once released. */
const MIGRATIONS: Migration[] = [first, aliveSince, credentials, endedKeys, tokens, organisations, stream, refusedAt, seenAt];

/**
 * Brings the schema to the version this program knows; `user_version` tells where it stands (a test may stop
 * earlier, `to`). Throws HUB_DATA_NEWER.
 */
export function migrate(database: DatabaseSync, to: number = MIGRATIONS.length): void {
  if (versionOf(database) === to) return;
  // A table that others refer to is made anew by a migration; with the keys enforced, dropping it would take their rows.
  database.exec('PRAGMA foreign_keys = OFF');
  transaction(database, () => {
    // Read again under the lock: another process may have done it meanwhile.
    const found = versionOf(database);
    if (found > MIGRATIONS.length) throw new ScoutError('HUB_DATA_NEWER', { found, known: MIGRATIONS.length });
    for (const step of MIGRATIONS.slice(found, to)) step(database);
    database.exec(`PRAGMA user_version = ${to}`);
    if (database.prepare('PRAGMA foreign_key_check').all().length > 0) throw new Error('a migration left rows that refer to nothing');
  });
  database.exec('PRAGMA foreign_keys = ON');
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version);
}

function first(database: DatabaseSync): void {
  database.exec(`
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    -- AUTOINCREMENT: a number is never given twice, so heartbeats of a removed server can never pass to another.
    CREATE TABLE servers (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      name TEXT NOT NULL UNIQUE,
      policy TEXT NOT NULL CHECK (policy IN ('immediate', 'grace', 'multi')),
      grace_ms INTEGER NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE keys (
      id TEXT PRIMARY KEY,
      server INTEGER NOT NULL REFERENCES servers ON DELETE CASCADE,
      hash TEXT NOT NULL UNIQUE,
      slot TEXT NOT NULL CHECK (slot IN ('current', 'previous', 'next')),
      enabled INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      valid_until INTEGER,
      last_used INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keys_server ON keys (server);

    CREATE TABLE instances (
      number INTEGER PRIMARY KEY,
      server INTEGER NOT NULL REFERENCES servers ON DELETE CASCADE,
      id TEXT NOT NULL,
      first_sequence INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      accepted INTEGER NOT NULL,
      duplicates INTEGER NOT NULL,
      UNIQUE (server, id)
    ) STRICT;

    -- Inclusive ranges between an instance's first and last sequence that have not come in.
    CREATE TABLE gaps (
      instance INTEGER NOT NULL REFERENCES instances ON DELETE CASCADE,
      low INTEGER NOT NULL,
      high INTEGER NOT NULL,
      PRIMARY KEY (instance, low)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE latest (
      server INTEGER PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
      time INTEGER NOT NULL,
      received INTEGER NOT NULL,
      interval REAL NOT NULL,
      agent_version TEXT NOT NULL,
      host_name TEXT NOT NULL,
      key_hash TEXT NOT NULL,
      key_slot TEXT NOT NULL
    ) STRICT;

    CREATE TABLE inventories (
      server INTEGER PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
      body TEXT NOT NULL
    ) STRICT;

    -- The recent window. No foreign key: removing a server takes these away in steps, not under one long lock.
    CREATE TABLE heartbeats (
      number INTEGER PRIMARY KEY,
      server INTEGER NOT NULL,
      time INTEGER NOT NULL,
      received INTEGER NOT NULL,
      frame BLOB NOT NULL
    ) STRICT;
    CREATE INDEX heartbeats_time ON heartbeats (server, time);
    CREATE INDEX heartbeats_received ON heartbeats (received);

    -- server 0: a key that told none.
    CREATE TABLE refusals (
      server INTEGER NOT NULL,
      status INTEGER NOT NULL,
      count INTEGER NOT NULL,
      PRIMARY KEY (server, status)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE users (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      role TEXT NOT NULL CHECK (role IN ('admin', 'member')),
      password_hash TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE sessions (
      hash TEXT PRIMARY KEY,
      user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
      created_at INTEGER NOT NULL,
      last_seen INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
  `);
  database.prepare(`INSERT INTO meta (name, value) VALUES ('service_id', ?)`).run(randomUUID());
}

/** Since when heartbeats of a server have come in without a break. */
function aliveSince(database: DatabaseSync): void {
  database.exec(`
    ALTER TABLE latest ADD COLUMN alive_since INTEGER NOT NULL DEFAULT 0;
    UPDATE latest SET alive_since = received;
  `);
}

/** Names of keys, minted keys for a day, credentials of the organisation, and the audit trail. */
function credentials(database: DatabaseSync): void {
  database.exec(`
    ALTER TABLE keys ADD COLUMN name TEXT;

    CREATE TABLE mints (
      id TEXT PRIMARY KEY,
      server INTEGER NOT NULL REFERENCES servers ON DELETE CASCADE,
      sealed BLOB NOT NULL,
      until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE credentials (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      role TEXT NOT NULL CHECK (role IN ('admin', 'member')),
      scopes TEXT NOT NULL,
      kid TEXT NOT NULL UNIQUE,
      public_key TEXT NOT NULL,
      enabled INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER,
      last_used INTEGER
    ) STRICT, WITHOUT ROWID;

    -- Append-only, each row chained to the one before (support/chain.ts): \`line\` is the entry's JSON, as it was hashed.
    CREATE TABLE audit (
      seq INTEGER PRIMARY KEY,
      line TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
  `);
}

/** Hashes of keys that ended, and which credential's heartbeats registered a server. */
function endedKeys(database: DatabaseSync): void {
  database.exec(`
    -- No foreign key: what is told of a key outlives its server, whose number is never given twice.
    CREATE TABLE ended_keys (
      hash TEXT PRIMARY KEY,
      server INTEGER NOT NULL,
      ended_at INTEGER NOT NULL,
      how TEXT NOT NULL CHECK (how IN ('replaced', 'retired', 'deleted', 'removed'))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX ended_keys_time ON ended_keys (ended_at);

    -- The name of the credential without its version, as of the day; null for a server that people registered.
    ALTER TABLE servers ADD COLUMN brought_by TEXT;
    CREATE INDEX servers_brought_by ON servers (brought_by) WHERE brought_by IS NOT NULL;
  `);
}

/** Tokens by which hosts enrol. They go by the server's name, since there need be no such server yet. */
function tokens(database: DatabaseSync): void {
  database.exec(`
    CREATE TABLE tokens (
      hash TEXT PRIMARY KEY,
      server_name TEXT NOT NULL,
      policy TEXT NOT NULL CHECK (policy IN ('immediate', 'grace', 'multi')),
      grace_ms INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      used_at INTEGER,
      used_for TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_server_name ON tokens (server_name);
  `);
}

/** Organisations: all that there was belongs to the default one, names are unique in theirs, and each has its audit trail. */
function organisations(database: DatabaseSync): void {
  database.exec(`
    CREATE TABLE organisations (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO organisations VALUES ('default', 'default', unixepoch() * 1000);

    CREATE TABLE new_servers (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      org TEXT NOT NULL REFERENCES organisations,
      name TEXT NOT NULL,
      policy TEXT NOT NULL CHECK (policy IN ('immediate', 'grace', 'multi')),
      grace_ms INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      brought_by TEXT,
      UNIQUE (org, name)
    ) STRICT;
    INSERT INTO new_servers SELECT number, id, 'default', name, policy, grace_ms, created_at, brought_by FROM servers;
    -- Numbers that were given to servers since removed are not given again.
    INSERT INTO sqlite_sequence (name, seq) SELECT 'new_servers', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'new_servers');
    UPDATE sqlite_sequence SET seq = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'servers'), 0) WHERE name = 'new_servers';
    DROP TABLE servers;
    ALTER TABLE new_servers RENAME TO servers;
    CREATE INDEX servers_brought_by ON servers (org, brought_by) WHERE brought_by IS NOT NULL;

    -- The public half is missing of a key that is kept by its SHA-256.
    CREATE TABLE new_credentials (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL REFERENCES organisations,
      name TEXT NOT NULL,
      role TEXT NOT NULL CHECK (role IN ('admin', 'member')),
      scopes TEXT NOT NULL,
      kid TEXT NOT NULL UNIQUE,
      public_key TEXT,
      enabled INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER,
      last_used INTEGER,
      UNIQUE (org, name)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_credentials
      SELECT id, 'default', name, role, scopes, kid, public_key, enabled, created_at, expires_at, last_used FROM credentials;
    DROP TABLE credentials;
    ALTER TABLE new_credentials RENAME TO credentials;

    ALTER TABLE tokens ADD COLUMN org TEXT NOT NULL DEFAULT 'default' REFERENCES organisations;
    DROP INDEX tokens_server_name;
    CREATE INDEX tokens_server_name ON tokens (org, server_name);
    ALTER TABLE users ADD COLUMN org TEXT NOT NULL DEFAULT 'default' REFERENCES organisations;

    -- No reference: the trail of an organisation outlives it.
    CREATE TABLE new_audit (
      org TEXT NOT NULL,
      seq INTEGER NOT NULL,
      line TEXT NOT NULL,
      PRIMARY KEY (org, seq)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_audit SELECT 'default', seq, line FROM audit;
    DROP TRIGGER audit_no_delete;
    DROP TABLE audit;
    ALTER TABLE new_audit RENAME TO audit;
    CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
  `);
}

/** When an instance was last heard from; of those that are there already, nobody knows. */
function seenAt(database: DatabaseSync): void {
  database.exec('ALTER TABLE instances ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0');
  database.prepare('UPDATE instances SET seen_at = ?').run(Date.now());
}
