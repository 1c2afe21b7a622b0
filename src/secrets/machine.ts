import { existsSync } from 'node:fs';
import { ScoutError } from '../support/errors.ts';
import { readMachineId, sealingId, usable } from '../support/machine-id.ts';

const FILE = 'etc/machine-id';
/** Loaded where there is no such file (macOS, Windows) only; its named exports cannot be imported by name. */
const library = process.platform === 'linux' ? undefined : (await import('node-machine-id')).default;

/** What values are sealed to on this machine. Throws MACHINE_ID where the machine has no id; the hostname never stands in. */
export function sealingMachine(root = '/'): Buffer {
  const id = library ? ask(library) : readMachineId({ root: root || '/' });
  if (id !== undefined) return sealingId(id);
  const file = `${root === '/' ? '' : root}/${FILE}`;
  const detail = library ? 'the system tells none' : existsSync(file) ? `${file} holds none` : `${file} is missing`;
  throw new ScoutError('MACHINE_ID', { detail });
}

function ask({ machineIdSync }: NonNullable<typeof library>): string | undefined {
  try {
    return usable(machineIdSync(true).replaceAll('-', '').toLowerCase());
  } catch {
    return undefined;
  }
}
