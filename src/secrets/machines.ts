import { readFileSync } from 'node:fs';
import path from 'node:path';
import { writeAtomically } from '../support/atomic.ts';
import { detailOf, ScoutError } from '../support/errors.ts';
import { type Binding, seal, unseal } from './envelope.ts';

/*
 * The machines that values were sealed on: a file beside host.key, a token a line, each sealed under host.key alone.
 *
 * A value is bound to the machine id, and after a change the old id is nowhere to be had: `rewrap` needs this record.
 * It could as well stand in each token, but then every leaked configuration would carry it. Here it opens nothing
 * without host.key, and whoever has host.key and the configuration of this host but not the record (values moved to
 * a host that got the same host.key, say) still has no way in.
 */

const FIELD = 'host.machines';

/** The record that belongs to a host key. */
export const recordOf = (hostKeyFile: string): string => path.join(path.dirname(hostKeyFile), 'host.machines');

/** The machines noted, the newest last; lines that do not open are passed over. Throws FILE_UNREADABLE. */
export function knownMachines(hostKeyFile: string, hostKey: Uint8Array): Buffer[] {
  return lines(hostKeyFile).flatMap((line) => {
    const opened = unseal({ hostKey, machine: new Uint8Array() }, FIELD, line);
    return opened.ok ? [Buffer.from(opened.text, 'hex')] : [];
  });
}

/** Notes a machine once. Throws FILE_UNREADABLE, and what the kernel says when the record cannot be written. */
export function noteMachine(hostKeyFile: string, { hostKey, machine }: Binding): void {
  if (knownMachines(hostKeyFile, hostKey).some((known) => known.equals(machine))) return;
  const token = seal({ hostKey, machine: new Uint8Array() }, FIELD, Buffer.from(machine).toString('hex'));
  writeAtomically(recordOf(hostKeyFile), `${[...lines(hostKeyFile), token].join('\n')}\n`, 0o400);
}

function lines(hostKeyFile: string): string[] {
  try {
    return readFileSync(recordOf(hostKeyFile), 'utf8').split('\n').filter(Boolean);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new ScoutError('FILE_UNREADABLE', { path: recordOf(hostKeyFile), detail: detailOf(error) });
  }
}
