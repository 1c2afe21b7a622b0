import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../support/host.ts';

/**
 * A short hash of the machine id, by which an outbox notices that its disk was cloned; undefined where there is no
 * usable id (machine-id(5)). The id itself is confidential and is not stored.
 */
export function machineMark(host: Pick<Host, 'root'>): string | undefined {
  let id: string;
  try {
    id = readFileSync(join(host.root, 'etc/machine-id'), 'latin1').trim();
  } catch {
    return undefined;
  }
  if (!/^[0-9a-f]{32}$/.test(id) || /^0+$/.test(id)) return undefined;
  return createHmac('sha256', id).update('scout-agent outbox').digest('hex').slice(0, 16);
}
