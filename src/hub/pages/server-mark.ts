import { createHash } from 'node:crypto';
import { type Registry, stateOf } from '../servers.ts';
import type { FleetRow, ServerKey } from '../store/store.ts';
import { refusedOf } from './fleet.ts';

/**
 * A short text that changes when a server's page must be fetched at once, whatever stretch its charts show: for its keys,
 * the key that its heartbeats use, its refusals, its policy; and for what changes by time alone: that it falls silent, that
 * an old key ends, that a refusal is long ago. The page carries it, so that what changes before it listens is not missed.
 */
export function markOf({ now, silentAfter }: Pick<Registry, 'now' | 'silentAfter'>, row: FleetRow | undefined, keys: ServerKey[]): string {
  const time = now();
  const facts = keys.map((key) => [key.hash, key.slot, key.enabled, key.name, key.validUntil, key.lastUsed === null, isOver(key, time)]);
  const passing = row && [stateOf(row.latest, time, silentAfter), refusedOf(row, time) === null];
  const text = JSON.stringify([row?.server, row?.key, row?.refusedAt, row?.latest === null, passing, facts]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

const isOver = ({ validUntil }: ServerKey, now: number): boolean => validUntil !== null && validUntil <= now;
