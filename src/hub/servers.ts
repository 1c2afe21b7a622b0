import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { KeyView, ServerDetails, ServerSummary } from '../protocol/servers.ts';
import { ScoutError } from '../support/errors.ts';
import type { Hub } from './hub.ts';
import { SILENT_AFTER, type SilentAfter, silenceMs } from './silence.ts';
import type { AuditEntry, FleetRow, Policy, Server, ServerKey } from './store/store.ts';

export type { KeyView, ServerDetails, ServerSummary };
export type ServerState = ServerSummary['state'];

/**
 * What of the hub these functions need, and on whose behalf; the CLI hands in a store and a clock without a server around them.
 */
export type Registry = Pick<Hub, 'store' | 'now' | 'silentAfter'> & {
  /** Id of the organisation whose things are meant. */
  org: string;
  /** Who it is, for the audit trail: `cli:root`, `user:ann`, `credential:ci`; and from where. */
  actor?: string;
  address?: string | null;
};

export interface AddedServer {
  server_id: string;
  name: string;
  /** Shown once, kept nowhere. */
  key: string;
  fingerprint: string;
}

/** What a server is to be, and the SHA-256 (hex) of its first key where that was made elsewhere. */
export interface NewServer {
  name: string;
  policy: Policy;
  graceMs: number;
  sha256: string;
}

/** SHA-256 of a key, in hex: how keys are kept and looked up. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** Fingerprint of a key whose hash is known. */
export const fingerprintOf = (key: Pick<ServerKey, 'hash'>): string => key.hash.slice(0, 12);

type Latest = NonNullable<FleetRow['latest']>;

const SLACK_MS = 5_000;
const LATE_INTERVALS = 2;

/** How a server stands, from its latest heartbeat: late after two intervals, silent after ten unless told otherwise. */
export function stateOf(
  latest: Pick<Latest, 'received' | 'interval'> | null,
  now: number,
  silentAfter: SilentAfter = SILENT_AFTER,
): ServerState {
  if (!latest) return 'never';
  const age = now - latest.received - SLACK_MS;
  if (age <= latest.interval * LATE_INTERVALS * 1_000) return 'alive';
  return age <= silenceMs(silentAfter, latest.interval) ? 'late' : 'silent';
}

/** Since when a server has been in its state, ms: registered, last heard from, or heard from without a break. */
export function sinceOf({ server, latest }: Pick<FleetRow, 'server' | 'latest'>, state: ServerState): number {
  if (!latest) return server.createdAt;
  return state === 'alive' ? latest.aliveSince : latest.received;
}

/** Whether a text may name a server: what has the form of a key may not, for it is one that was pasted by mistake. */
export const isServerName = (text: string): boolean => /^[\p{L}\p{N}][\p{L}\p{N} ._:@-]{0,127}$/u.test(text) && !isKeyLike(text);

/** Whether a text has the form of the keys that are made here. */
export const isKeyLike = (text: string): boolean => /^[0-9a-f]{64}$/i.test(text);

/** Registers a server and makes its key. Throws HUB_SERVER_EXISTS, HUB_SERVER_NAME. */
export async function addServer(hub: Registry, name: string, policy: Policy, graceMs: number): Promise<AddedServer> {
  const key = randomBytes(32).toString('hex');
  return { key, ...(await registerServer(hub, { name, policy, graceMs, sha256: hashKey(key) })) };
}

/** Registers a server with a key of which only the SHA-256 is told. Throws HUB_SERVER_EXISTS, HUB_SERVER_NAME, HUB_KEY_EXISTS, HUB_KEY_ENDED. */
export async function registerServer(hub: Registry, { name, policy, graceMs, sha256 }: NewServer): Promise<Omit<AddedServer, 'key'>> {
  if (!isServerName(name)) throw new ScoutError('HUB_SERVER_NAME', {});
  const createdAt = hub.now();
  const server: Server = { id: randomUUID(), org: hub.org, name, policy, graceMs, createdAt };
  const kept: ServerKey = {
    id: randomUUID(),
    serverId: server.id,
    name: null,
    hash: sha256,
    slot: 'current',
    enabled: true,
    createdAt,
    validUntil: null,
    lastUsed: null,
  };
  await hub.store.addServer(server, kept, entryOf(hub, 'server.add', name, { policy, key: fingerprintOf(kept) }));
  return { server_id: server.id, name, fingerprint: fingerprintOf(kept) };
}

/**
 * Gives a server another policy or window (ms), to which its keys are held from the next rotation on. Throws
 * HUB_SERVER_UNKNOWN.
 */
export async function changeServer(hub: Registry, name: string, wanted: { policy?: Policy; graceMs?: number }): Promise<void> {
  const server = await known(hub, name);
  const { policy = server.policy, graceMs = server.graceMs } = wanted;
  if (policy === server.policy && graceMs === server.graceMs) return;
  const detail = { policy, ...(policy === 'grace' && { grace: `${graceMs / 1_000} s` }) };
  if (!(await hub.store.changeServer({ ...server, policy, graceMs }, entryOf(hub, 'server.change', name, detail))))
    throw new ScoutError('HUB_SERVER_UNKNOWN', { name });
}

/** Every server, by name, and how it stands. */
export async function listServers(hub: Registry): Promise<ServerSummary[]> {
  const now = hub.now();
  return (await hub.store.fleet(hub.org)).map((row) => summary(row, now, hub.silentAfter));
}

/** All that is known of one server. Throws HUB_SERVER_UNKNOWN. */
export async function showServer(hub: Registry, name: string): Promise<ServerDetails> {
  const { store } = hub;
  const row = await store.standing(hub.org, name);
  if (!row) throw new ScoutError('HUB_SERVER_UNKNOWN', { name });
  const { server } = row;
  return {
    ...summary(row, hub.now(), hub.silentAfter),
    created: rfc3339(server.createdAt),
    grace: server.graceMs / 1_000,
    keys: (await store.keys(server.id)).map(keyView),
    instances: (await store.instances(server.id)).map((one) => ({
      id: one.id,
      first_sequence: one.firstSequence,
      last_sequence: one.lastSequence,
      accepted: one.accepted,
      duplicates: one.duplicates,
      gaps: one.gaps,
    })),
    refused: await store.refusals(server.id),
  };
}

/** Forgets a server, its keys and its heartbeats. Throws HUB_SERVER_UNKNOWN. */
export async function removeServer(hub: Registry, name: string): Promise<void> {
  await hub.store.removeServer((await known(hub, name)).id, entryOf(hub, 'server.remove', name, {}));
}

/** The keys of a server. Throws HUB_SERVER_UNKNOWN. */
export async function listKeys(hub: Registry, name: string): Promise<KeyView[]> {
  return (await hub.store.keys((await known(hub, name)).id)).map(keyView);
}

/** The server of a name. Throws HUB_SERVER_UNKNOWN. */
export async function known(hub: Registry, name: string): Promise<Server> {
  const server = await hub.store.serverByName(hub.org, name);
  if (!server) throw new ScoutError('HUB_SERVER_UNKNOWN', { name });
  return server;
}

function entryOf(hub: Registry, action: string, name: string, detail: Record<string, string>): AuditEntry {
  return entryFor(hub, action, `server:${name}`, detail);
}

/** A line for the audit trail of who it is: what was done to which subject (`server:web-1`). */
export function entryFor(hub: Registry, action: string, subject: string, detail: Record<string, string>): AuditEntry {
  const { org, actor = 'hub', address = null } = hub;
  return { org, at: hub.now(), actor, action, subject, detail, address };
}

function summary(row: FleetRow, now: number, silentAfter: SilentAfter | undefined): ServerSummary {
  const { server, key, latest, accepted } = row;
  const state = stateOf(latest, now, silentAfter);
  return {
    server_id: server.id,
    name: server.name,
    policy: server.policy,
    state,
    since: rfc3339(sinceOf(row, state)),
    fingerprint: key?.fingerprint ?? null,
    slot: key?.slot ?? null,
    host_name: latest?.hostName ?? null,
    agent_version: latest?.agentVersion ?? null,
    last_received: latest ? rfc3339(latest.received) : null,
    last_sampled: latest ? rfc3339(latest.time) : null,
    interval: latest?.interval ?? null,
    accepted,
  };
}

/** A key as people and scripts see it. */
export function keyView(key: ServerKey): KeyView {
  return {
    fingerprint: fingerprintOf(key),
    name: key.name,
    slot: key.slot,
    enabled: key.enabled,
    created: rfc3339(key.createdAt),
    valid_until: key.validUntil === null ? null : rfc3339(key.validUntil),
    last_used: key.lastUsed === null ? null : rfc3339(key.lastUsed),
  };
}

const FURTHEST = 8.64e15;
/** A host whose clock is beyond what a date can hold is still shown. */
export const rfc3339 = (ms: number): string => new Date(Math.min(ms, FURTHEST)).toISOString();
