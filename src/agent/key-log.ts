import type { Outcome } from '../delivery/heartbeats.ts';
import { problem } from '../support/errors.ts';
import type { Log } from '../support/log.ts';

interface Options {
  log: Log;
  /** The service, and the fingerprint of the key that the next request carries. */
  inUse(): { endpoint: string; fingerprint: string | null };
}

const REFUSALS = { unauthorized: 'KEY_REFUSED', forbidden: 'KEY_FORBIDDEN' } as const;

/**
 * Says in the log what an operator looks for there after a key was replaced or revoked: the first heartbeat that was
 * accepted with a key, by its fingerprint; and that the service refuses it, once, with code and remedy.
 */
export class KeyLog {
  readonly #options: Options;
  #said: string | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Takes the last word on a batch for the service of `api.*`. */
  sent(outcome: Outcome): void {
    if (outcome.kind === 'accepted') this.#accepted(outcome);
    else if (outcome.kind === 'unauthorized' || outcome.kind === 'forbidden') this.#refused(outcome);
  }

  #accepted({ by, slot, fingerprint = by }: Extract<Outcome, { kind: 'accepted' }>): void {
    if (fingerprint === undefined || this.#said === `accepted ${fingerprint}`) return;
    this.#said = `accepted ${fingerprint}`;
    const { endpoint } = this.#options.inUse();
    this.#options.log.info({ endpoint, fingerprint, ...(slot && { slot }) }, 'heartbeat accepted with this key');
  }

  #refused({ kind, by, detail }: Extract<Outcome, { kind: keyof typeof REFUSALS }>): void {
    // After a search through the keyring the last one that was refused is not the one that the operator set.
    const { endpoint, fingerprint = by } = this.#options.inUse();
    if (this.#said === `${kind} ${fingerprint}`) return;
    this.#said = `${kind} ${fingerprint}`;
    const { code, message, remedy } = problem(REFUSALS[kind], { endpoint, fingerprint: fingerprint ?? 'none', detail });
    this.#options.log.error({ code, endpoint, fingerprint, detail, remedy }, message);
  }
}
