import { createHash } from 'node:crypto';
import type { FleetRow, ServerKey } from '../store/store.ts';

/**
 * A short text that changes when a server's page must be fetched at once, whatever stretch its charts show: for its keys,
 * the key that its heartbeats use, its refusals, its policy. The page carries it, so that what changes before it listens
 * is not missed.
 */
export function markOf(row: FleetRow | undefined, keys: ServerKey[]): string {
  const facts = keys.map((key) => [key.hash, key.slot, key.enabled, key.name, key.validUntil, key.lastUsed === null]);
  const text = JSON.stringify([row?.server, row?.key, row?.refusedAt, row?.latest === null, facts]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
