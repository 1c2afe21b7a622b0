import { type Problem, problem } from '../support/errors.ts';
import { type Binding, isSealed, seal, unseal } from './envelope.ts';
import { findHostKey, readHostKey } from './host-key.ts';
import { sealingMachine } from './machine.ts';
import { knownMachines, noteMachine, recordOf } from './machines.ts';
import { type Opening, remedies, sealedField } from './open.ts';

/** What became of one value: another token, nothing to do (it opens, or is not sealed), or why it cannot be. */
export type Rewrapped = { kind: 'sealed'; token: string } | { kind: 'kept' } | { kind: 'failed'; fault: Problem };

/**
 * Re-seals values for the machine id of today, by the record of machines beside the host key. Throws the HOST_KEY_
 * errors, MACHINE_ID and FILE_UNREADABLE.
 */
export class Rewrapper {
  readonly #where: Opening;
  #keys: { file: string; now: Binding; before: Buffer[] } | undefined;

  constructor(where: Opening) {
    this.#where = where;
  }

  rewrap(field: string, text: string): Rewrapped {
    if (!isSealed(text)) return { kind: 'kept' };
    const typed = remedies(field, this.#where);
    const { file, now, before } = this.#open(typed);
    const name = sealedField(field);
    const today = unseal(now, name, text);
    if (today.ok) return { kind: 'kept' };
    const failed = (code: Problem['code'], params: Record<string, string>): Rewrapped => ({
      kind: 'failed',
      fault: problem(code, { path: file, ...params, ...typed, name: field }),
    });
    if (today.code !== 'SEALED_MACHINE') return failed(today.code, today.params);
    for (const machine of before) {
      const opened = unseal({ ...now, machine }, name, text);
      if (opened.ok) return { kind: 'sealed', token: seal(now, name, opened.text) };
      if (opened.code !== 'SEALED_MACHINE') return failed(opened.code, opened.params);
    }
    return failed('REWRAP_UNKNOWN', { path: recordOf(file) });
  }

  /** Notes the machine id of today, for the next time. Throws what the kernel says. */
  note(): void {
    if (this.#keys) noteMachine(this.#keys.file, this.#keys.now);
  }

  #open(typed: Record<string, string>): { file: string; now: Binding; before: Buffer[] } {
    if (!this.#keys) {
      const file = findHostKey(this.#where);
      const hostKey = readHostKey(file, typed);
      this.#keys = { file, now: { hostKey, machine: sealingMachine(this.#where.root) }, before: knownMachines(file, hostKey) };
    }
    return this.#keys;
  }
}
