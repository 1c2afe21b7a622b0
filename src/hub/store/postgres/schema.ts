/*
 * The schema as the first migration makes it. Times are ms since the epoch, as everywhere in the hub. Names sort by their
 * bytes (COLLATE "C"), as they do in SQLite. Constraints that errors go by have names of their own.
 */

export const FIRST = `
  CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);

  CREATE TABLE organisations (
    id text PRIMARY KEY,
    name text COLLATE "C" NOT NULL CONSTRAINT organisations_name UNIQUE,
    created_at bigint NOT NULL
  );
  INSERT INTO organisations (id, name, created_at) VALUES ('default', 'default', (extract(epoch FROM now()) * 1000)::bigint);

  -- An identity is never given twice, so heartbeats of a removed server can never pass to another.
  CREATE TABLE servers (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    org text NOT NULL REFERENCES organisations,
    name text COLLATE "C" NOT NULL,
    policy text NOT NULL CHECK (policy IN ('immediate', 'grace', 'multi')),
    grace_ms bigint NOT NULL,
    created_at bigint NOT NULL,
    -- The name of the credential that registered it, without its version; null for a server that people registered.
    brought_by text,
    CONSTRAINT servers_name UNIQUE (org, name)
  );
  CREATE INDEX servers_brought_by ON servers (org, brought_by) WHERE brought_by IS NOT NULL;

  CREATE TABLE keys (
    id text COLLATE "C" PRIMARY KEY,
    server bigint NOT NULL REFERENCES servers ON DELETE CASCADE,
    name text,
    hash text NOT NULL CONSTRAINT keys_hash UNIQUE,
    slot text NOT NULL CHECK (slot IN ('current', 'previous', 'next')),
    enabled boolean NOT NULL,
    created_at bigint NOT NULL,
    valid_until bigint,
    last_used bigint
  ) WITH (fillfactor = 80);
  CREATE INDEX keys_server ON keys (server);

  -- No foreign key: what is told of a key outlives its server, whose number is never given twice.
  CREATE TABLE ended_keys (
    hash text PRIMARY KEY,
    server bigint NOT NULL,
    ended_at bigint NOT NULL,
    how text NOT NULL CHECK (how IN ('replaced', 'retired', 'deleted', 'removed'))
  );
  CREATE INDEX ended_keys_time ON ended_keys (ended_at);
  CREATE INDEX ended_keys_server ON ended_keys (server);

  CREATE TABLE mints (
    id text PRIMARY KEY,
    server bigint NOT NULL REFERENCES servers ON DELETE CASCADE,
    sealed bytea NOT NULL,
    until bigint NOT NULL
  );
  CREATE INDEX mints_server ON mints (server);

  CREATE TABLE credentials (
    id text COLLATE "C" PRIMARY KEY,
    org text NOT NULL REFERENCES organisations ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'member')),
    scopes text NOT NULL,
    kid text NOT NULL CONSTRAINT credentials_kid UNIQUE,
    public_key text,
    enabled boolean NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    last_used bigint,
    CONSTRAINT credentials_name UNIQUE (org, name)
  );

  -- They go by the server's name, since there need be no such server yet.
  CREATE TABLE tokens (
    hash text COLLATE "C" PRIMARY KEY,
    org text NOT NULL REFERENCES organisations ON DELETE CASCADE,
    server_name text NOT NULL,
    policy text NOT NULL CHECK (policy IN ('immediate', 'grace', 'multi')),
    grace_ms bigint NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    used_at bigint,
    used_for text
  );
  CREATE INDEX tokens_server_name ON tokens (org, server_name);

  CREATE TABLE users (
    id text PRIMARY KEY,
    org text NOT NULL REFERENCES organisations ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL CONSTRAINT users_name UNIQUE,
    role text NOT NULL CHECK (role IN ('admin', 'member')),
    password_hash text NOT NULL
  );

  CREATE TABLE sessions (
    hash text PRIMARY KEY,
    "user" text NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at bigint NOT NULL,
    last_seen bigint NOT NULL
  );
  CREATE INDEX sessions_user ON sessions ("user");

  -- Append-only, each row of an organisation chained to the one before (support/chain.ts): line is the entry's JSON, as it
  -- was hashed. No foreign key: the trail outlives its organisation.
  CREATE TABLE audit (
    org text NOT NULL,
    seq bigint NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (org, seq)
  );
  CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;
  CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

  CREATE TABLE instances (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server bigint NOT NULL REFERENCES servers ON DELETE CASCADE,
    id text NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    accepted bigint NOT NULL,
    duplicates bigint NOT NULL,
    seen_at bigint NOT NULL,
    UNIQUE (server, id)
  ) WITH (fillfactor = 70);

  -- Inclusive ranges between an instance's first and last sequence that have not come in.
  CREATE TABLE gaps (
    instance bigint NOT NULL REFERENCES instances ON DELETE CASCADE,
    low bigint NOT NULL,
    high bigint NOT NULL,
    PRIMARY KEY (instance, low)
  );

  CREATE TABLE latest (
    server bigint PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
    time bigint NOT NULL,
    received bigint NOT NULL,
    interval double precision NOT NULL,
    agent_version text NOT NULL,
    host_name text NOT NULL,
    key_hash text NOT NULL,
    key_slot text NOT NULL,
    alive_since bigint NOT NULL
  ) WITH (fillfactor = 70);

  CREATE TABLE inventories (
    server bigint PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
    body text NOT NULL
  );

  -- server 0: a key that told none.
  CREATE TABLE refusals (
    server bigint NOT NULL,
    status integer NOT NULL,
    count bigint NOT NULL,
    last_at bigint NOT NULL,
    PRIMARY KEY (server, status)
  );

  -- The recent window, in segments that are written one after the other and dropped whole: a large fleet's rows are
  -- never deleted one by one, which would cost as much as writing them and leave holes that nothing tells the size of.
  CREATE TABLE segments (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Bytes of rows that were deleted in it all the same, and that its files still hold.
    freed bigint NOT NULL DEFAULT 0
  );
  CREATE SEQUENCE heartbeat_numbers;
  -- No foreign key: removing a server takes these away in steps, not under one long lock.
  CREATE TABLE heartbeats (
    segment bigint NOT NULL,
    number bigint NOT NULL DEFAULT nextval('heartbeat_numbers'),
    server bigint NOT NULL,
    time bigint NOT NULL,
    received bigint NOT NULL,
    -- zstd already, and small: PostgreSQL shall neither compress it nor move it out of its row where it need not.
    frame bytea NOT NULL
  ) PARTITION BY LIST (segment);
  ALTER TABLE heartbeats ALTER COLUMN frame SET STORAGE EXTERNAL;
  CREATE INDEX heartbeats_time ON heartbeats (server, time);
  CREATE INDEX heartbeats_received ON heartbeats (received);
  CREATE INDEX heartbeats_number ON heartbeats (number);
  -- Heartbeats received before it count as dropped, and nobody sees them, until their segment is dropped whole.
  INSERT INTO meta (name, value) VALUES ('window_from', '0');
`;

/** What runs beside the server: readers of heartbeats, duties, roll-ups, and notices of silence. */
export const STREAM = `
  CREATE TABLE cursors (
    name text PRIMARY KEY,
    place bigint NOT NULL,
    lost bigint NOT NULL DEFAULT 0
  );

  CREATE TABLE leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    until bigint NOT NULL
  );

  -- Stretches to be rolled up; taken: somebody reads them now, so that what comes in meanwhile must clear it.
  CREATE TABLE unrolled (
    server bigint NOT NULL,
    time bigint NOT NULL,
    since bigint NOT NULL,
    taken boolean NOT NULL DEFAULT false,
    PRIMARY KEY (server, time)
  );
  CREATE INDEX unrolled_since ON unrolled (since);

  -- No foreign key, as with heartbeats.
  CREATE TABLE rollups (
    server bigint NOT NULL,
    time bigint NOT NULL,
    frame bytea NOT NULL,
    PRIMARY KEY (server, time)
  ) WITH (toast_tuple_target = 8160);
  ALTER TABLE rollups ALTER COLUMN frame SET STORAGE EXTERNAL;
  CREATE INDEX rollups_time ON rollups (time);
  INSERT INTO meta (name, value) VALUES ('rollup_bytes', '0');

  CREATE TABLE told (
    server bigint PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
    state text NOT NULL CHECK (state IN ('alive', 'late', 'silent')),
    at bigint NOT NULL
  );

  CREATE TABLE notices (
    id text COLLATE "C" PRIMARY KEY,
    body text NOT NULL,
    created_at bigint NOT NULL,
    tries integer NOT NULL,
    next_at bigint NOT NULL
  );
  CREATE INDEX notices_next ON notices (next_at);
`;
