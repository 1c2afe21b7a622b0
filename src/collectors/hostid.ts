import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Host } from '../support/host.ts';

/** Marks the id as ours; another program that hashes the same machine id gets another one. Never to change. */
const APPLICATION = '6b1f0c0e9c574d3d8f3a5f7a54c0b2d1';

/**
 * Id of this host that does not give away its machine id: HMAC-SHA256 of our application id, keyed by the machine id,
 * cut to a version 4 UUID, as sd_id128_get_machine_app_specific(3) does it. Undefined where the machine has no id
 * (or one of zeros, or none yet).
 */
export function readHostId(host: Host): string | undefined {
  let text: string;
  try {
    text = readFileSync(`${host.root.replace(/\/$/, '')}/etc/machine-id`, 'latin1').trim();
  } catch {
    return undefined;
  }
  if (!/^[0-9a-f]{32}$/.test(text) || /^0+$/.test(text)) return undefined;
  return hostId(text);
}

/** The id for a machine id of 32 hex digits. */
export function hostId(machineId: string): string {
  const digest = createHmac('sha256', Buffer.from(machineId, 'hex')).update(Buffer.from(APPLICATION, 'hex')).digest().subarray(0, 16);
  digest[6] = ((digest[6] as number) & 0x0f) | 0x40;
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80;
  return digest.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
