import type { KeyView } from '../../protocol/servers.ts';
import { formatDuration } from '../../support/durations.ts';
import { table } from '../output.ts';

/** How long ago a time was, for people; `never` for none. */
export function ago(time: string | null, now: number): string {
  if (time === null) return 'never';
  const ms = now - Date.parse(time);
  return ms < 1_000 ? 'just now' : `${formatDuration(ms)} ago`;
}

/** Text that an agent chose, for a terminal: what would steer it is left out. */
export const plain = (text: string): string => text.replace(/\p{C}/gu, '\ufffd');

/** Keys as a table: fingerprints, never more of them. */
export function keyTable(keys: KeyView[], now: number): string {
  const rows = keys.map((key) => [
    key.fingerprint,
    key.name ?? '-',
    key.slot,
    stateOf(key, now),
    key.created,
    key.valid_until ?? '-',
    ago(key.last_used, now),
  ]);
  return table(['KEY', 'NAME', 'SLOT', 'STATE', 'CREATED', 'VALID UNTIL', 'LAST USED'], rows);
}

/** A key whose time is over stays listed until the keys of its server change next. */
function stateOf({ enabled, valid_until: until }: KeyView, now: number): string {
  if (until !== null && Date.parse(until) <= now) return 'expired';
  return enabled ? 'enabled' : 'disabled';
}
