import { detailOf, type Problem, problem } from '../support/errors.ts';
import { isSealed, seal, unseal } from './envelope.ts';
import { ensureHostKey } from './host-key.ts';
import { sealingMachine } from './machine.ts';
import { noteMachine, recordOf } from './machines.ts';
import { type Opening, openSecret, remedies, sealedField } from './open.ts';

/** A sealed value, and what came with it. */
export interface Sealed {
  token: string;
  /** The host key, when it was made for this. */
  made?: string;
  warning?: Problem;
}

/**
 * Seals a text for a setting of this host, making its host key when there is none yet. What is sealed already and opens
 * here comes back as it is. Throws the HOST_KEY_ errors, MACHINE_ID and FILE_UNWRITABLE.
 */
export function sealHere(field: string, text: string, where: Opening): Sealed | { fault: Problem } {
  if (isSealed(text)) {
    const opened = openSecret({ label: field, field, text }, where);
    return opened.ok ? { token: text } : { fault: opened.problem };
  }
  // Before a host key is made: without a machine id it would be of no use.
  const machine = sealingMachine(where.root);
  const { file, key, made } = ensureHostKey(where, remedies(field, where));
  const binding = { hostKey: key, machine };
  let warning: Problem | undefined;
  try {
    noteMachine(file, binding);
  } catch (error) {
    warning = problem('HOST_MACHINES', { path: recordOf(file), detail: detailOf(error) }, {}, 'warning');
  }
  const token = seal(binding, sealedField(field), text);
  const proof = unseal(binding, sealedField(field), token);
  if (!proof.ok || proof.text !== text) throw new Error('what was sealed does not open to what it was; nothing was written');
  return { token, ...(made && { made: file }), ...(warning && { warning }) };
}
