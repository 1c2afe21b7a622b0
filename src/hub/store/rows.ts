import type { FleetRow, Organisation, OrgCredential, Policy, Scope, Server, ServerKey, Slot, Token, User } from './records.ts';

/*
 * Records from rows: both databases name their columns alike, and answer with the same values but for truth, which SQLite
 * keeps as 0 or 1.
 */

type Row = Readonly<Record<string, unknown>>;

/** Columns of a server, from `servers AS s`. */
export const SERVER = 's.id AS server_id, s.org, s.name, s.policy, s.grace_ms, s.created_at AS server_created';
/** Columns of a key, from `keys AS k`. */
export const KEY = 'k.id AS key_id, k.name AS key_name, k.hash, k.slot, k.enabled, k.created_at AS key_created, k.valid_until, k.last_used';

/** A server from a row of `SERVER`. */
export function serverOf(row: Row): Server {
  return {
    id: row.server_id as string,
    org: row.org as string,
    name: row.name as string,
    policy: row.policy as Policy,
    graceMs: row.grace_ms as number,
    createdAt: row.server_created as number,
  };
}

/** A key from a row of `KEY` with `server_id`. */
export function keyOf(row: Row): ServerKey {
  return {
    id: row.key_id as string,
    serverId: row.server_id as string,
    name: row.key_name as string | null,
    hash: row.hash as string,
    slot: row.slot as Slot,
    enabled: Boolean(row.enabled),
    createdAt: row.key_created as number,
    validUntil: row.valid_until as number | null,
    lastUsed: row.last_used as number | null,
  };
}

/** A row of the fleet from one of `SERVER`, `latest` and what is reckoned beside them. */
export function fleetRowOf(row: Row): FleetRow {
  return {
    server: serverOf(row),
    key:
      row.key_hash === null
        ? null
        : { fingerprint: String(row.key_hash).slice(0, 12), slot: row.slot as Slot, createdAt: row.key_created as number | null },
    latest:
      row.time === null
        ? null
        : {
            time: row.time as number,
            received: row.received as number,
            interval: row.interval as number,
            agentVersion: row.agent_version as string,
            hostName: row.host_name as string,
            aliveSince: row.alive_since as number,
          },
    accepted: row.accepted as number,
    refusedAt: row.refused_at as number | null,
  };
}

/** A credential from a row of its table. */
export function credentialOf(row: Row): OrgCredential {
  return {
    id: row.id as string,
    org: row.org as string,
    name: row.name as string,
    role: row.role as OrgCredential['role'],
    scopes: JSON.parse(row.scopes as string) as Scope[],
    kid: row.kid as string,
    publicKey: row.public_key as string | null,
    enabled: Boolean(row.enabled),
    createdAt: row.created_at as number,
    expiresAt: row.expires_at as number | null,
    lastUsed: row.last_used as number | null,
  };
}

/** A token from a row of its table. */
export function tokenOf(row: Row): Token {
  return {
    hash: row.hash as string,
    org: row.org as string,
    serverName: row.server_name as string,
    policy: row.policy as Policy,
    graceMs: row.grace_ms as number,
    createdAt: row.created_at as number,
    expiresAt: row.expires_at as number,
    usedAt: row.used_at as number | null,
    usedFor: row.used_for as string | null,
  };
}

/** A person from a row of their table. */
export function userOf(row: Row): User {
  return {
    id: row.id as string,
    org: row.org as string,
    name: row.name as string,
    role: row.role as User['role'],
    passwordHash: row.password_hash as string,
  };
}

/** An organisation from a row of its table. */
export const organisationOf = (row: Row): Organisation => ({
  id: row.id as string,
  name: row.name as string,
  createdAt: row.created_at as number,
});
