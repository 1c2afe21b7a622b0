import { createHmac } from 'node:crypto';
import type { Host } from '../support/host.ts';
import { readMachineId } from '../support/machine-id.ts';

/**
 * A short hash of the machine id, by which an outbox notices that its disk was cloned; undefined where there is no
 * usable id. The id itself is confidential and is not stored.
 */
export function machineMark(host: Pick<Host, 'root'>): string | undefined {
  const id = readMachineId(host);
  return id && createHmac('sha256', id).update('scout-agent outbox').digest('hex').slice(0, 16);
}
