import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './host.ts';

/** Marks the id as ours; another program that hashes the same machine id gets another one. Never to change. */
const APPLICATION = '6b1f0c0e9c574d3d8f3a5f7a54c0b2d1';
/** The same for sealed values. Another one, since the host id is told to services and is no secret. Never to change. */
const SEALING = 'e2a4470f2d0b4c9a9d5c61b7a8f3375e';

/**
 * The machine id of machine-id(5): 32 hex digits, confidential. Undefined where there is none, or one that says nothing
 * (zeros, `uninitialized`). Never the hostname instead: two hosts could share it.
 */
export function readMachineId(host: Pick<Host, 'root'>): string | undefined {
  let text: string;
  try {
    text = readFileSync(join(host.root, 'etc/machine-id'), 'latin1').trim();
  } catch {
    return undefined;
  }
  return usable(text);
}

/** The machine id of systems without that file (macOS, Windows), by node-machine-id, which asks the system by command. */
export async function askMachineId(): Promise<string | undefined> {
  try {
    // Its named exports cannot be imported by name.
    const { default: library } = await import('node-machine-id');
    return usable((await library.machineId(true)).replaceAll('-', '').toLowerCase());
  } catch {
    return undefined;
  }
}

/** The text when it is a machine id that says something, else undefined. */
export function usable(text: string): string | undefined {
  return /^[0-9a-f]{32}$/.test(text) && !/^0+$/.test(text) ? text : undefined;
}

/**
 * Id of this host that does not give away its machine id: HMAC-SHA256 of our application id, keyed by the machine id,
 * cut to a version 4 UUID, as sd_id128_get_machine_app_specific(3) does it. Undefined where the machine has no id.
 */
export function readHostId(host: Pick<Host, 'root'>): string | undefined {
  const id = readMachineId(host);
  return id === undefined ? undefined : hostId(id);
}

/** The id for a machine id of 32 hex digits. */
export function hostId(machineId: string): string {
  const id = applicationId(machineId, APPLICATION);
  return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** What sealed values are bound to, for a machine id of 32 hex digits: 16 bytes that no service hears of. */
export const sealingId = (machineId: string): Buffer => applicationId(machineId, SEALING);

function applicationId(machineId: string, application: string): Buffer {
  const digest = createHmac('sha256', Buffer.from(machineId, 'hex')).update(Buffer.from(application, 'hex')).digest().subarray(0, 16);
  digest[6] = ((digest[6] as number) & 0x0f) | 0x40;
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80;
  return digest;
}
