import type { Config } from '../config/schema.ts';
import { createCredential } from '../credentials/create.ts';
import type { Credential } from '../credentials/credential.ts';
import type { Outcome } from '../delivery/heartbeats.ts';
import type { Log } from '../support/log.ts';
import type { Candidate } from './checker.ts';
import type { AgentStatus } from './control.ts';
import { type KeyFrom, Ladder, type Move, type Rung } from './ladder.ts';

interface Options {
  log: Log;
  /** Reads the files anew and hands what they hold to `take`; the configuration stays when they have faults. */
  reread(): Promise<void>;
  /** The sender to the service of `api.*`. */
  sender: { tryKey(credential: Credential): void; restWith(credential: Credential): void; suspend(): void };
  /** Told when every key was refused, after a reading that took its time. */
  onRest(): void;
}

/** A key of the keyring in use is said once, as loudly as it deserves. */
const FOUND: Record<Exclude<KeyFrom, 'configuration'>, { level: 'warn' | 'error'; text: string }> = {
  current: {
    level: 'warn',
    text: 'the service refuses the key of the configuration; the current key of the keyring is in use',
  },
  next: { level: 'warn', text: 'the service has the key of a rotation that was cut short; run `scout-agent rotate`' },
  previous: {
    level: 'error',
    text: 'the service refuses the key of the configuration and takes only the PREVIOUS one; give the configuration a good key',
  },
  quarantine: {
    level: 'error',
    text: 'the service refuses the key of the configuration and takes only one in QUARANTINE; give the configuration a good key',
  },
};

/** The credential for the service of `api.*`: the configuration's, and after a refusal the first of the keyring that is taken. */
export class Keys {
  readonly #options: Options;
  /** Those of the keyring as well: when they are needed, the files may be such that nothing can be read from them. */
  readonly #credentials = new Map<string, Credential>();
  #ladder: Ladder;
  /** What decides which credential goes to which service, as the configuration had it. */
  #named = '';
  /** The key that was said to be in use, other than the configuration's. */
  #said: string | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#ladder = new Ladder('', []);
  }

  /**
   * Prepares what was read; what it returns puts it in force, at a moment of the caller's choice, and tells which
   * credential is to be used, and whether at once. `asked`: somebody wants a fresh try. Throws PRIVATE_KEY.
   */
  prepare(config: Config, candidates: Candidate[], asked: boolean): () => { credential: Credential; retry: boolean } {
    const configured = createCredential(config.api);
    const kept = candidates.flatMap(({ slot, api, ended }) => {
      const credential = attempt(api);
      return credential ? [{ rung: { fingerprint: credential.fingerprint, from: slot, ...(ended && { ended }) }, credential }] : [];
    });
    const { timeout: _, ...deciding } = config.api;
    const named = JSON.stringify(deciding);
    return () => {
      const edited = named !== this.#named;
      const before = this.credential;
      this.#named = named;
      this.#credentials.clear();
      // Of the same key the first stays: the one in use with its cached token, also when the keyring let go of it.
      const known = [...(before && !edited ? [before] : []), configured, ...kept.map(({ credential }) => credential)];
      for (const one of known.toReversed()) this.#credentials.set(one.fingerprint, one);
      const rungs = kept.map(({ rung }): Rung => rung);
      const move = this.#ladder.loaded(configured.fingerprint, rungs, { edited, asked });
      if (edited) this.#said = undefined;
      return { credential: this.credential as Credential, retry: move === 'try' };
    };
  }

  /** Takes note of an outcome; whether it is the last word: a refusal is not while another key may be tried. */
  outcome(outcome: Outcome): boolean {
    if (outcome.by === undefined) return true;
    if (outcome.kind === 'accepted') this.#accepted(outcome.by);
    if (outcome.kind !== 'unauthorized') return true;
    const move = this.#ladder.refused(outcome.by);
    if (move === 'read') void this.#read();
    else this.#go(move);
    return !this.#ladder.deciding;
  }

  /** Fingerprint that the configuration asks for. */
  get configured(): string {
    return this.#ladder.configured;
  }

  /** Uses the configured key, whatever was found before. */
  restart(): void {
    if (this.#ladder.inForce.from !== 'configuration' || this.#ladder.resting) this.#go(this.#ladder.restart());
  }

  /** What the next request carries. */
  get credential(): Credential | undefined {
    return this.#credentials.get(this.#ladder.inForce.fingerprint);
  }

  /** Whether every key was refused. */
  get resting(): boolean {
    return this.#ladder.resting;
  }

  /** As in `status`; `degrading`: the key in use is one that should not be. */
  status(): Omit<AgentStatus['key'], 'slot' | 'variable'> & { degrading: boolean } {
    const { fingerprint, from } = this.#ladder.inForce;
    const found = from !== 'configuration' && this.#said === fingerprint;
    return {
      fingerprint: fingerprint || null,
      from,
      problem: found ? FOUND[from].text : null,
      degrading: found && FOUND[from].level === 'error',
    };
  }

  #accepted(by: string): void {
    if (!this.#ladder.accepted(by)) return;
    const { fingerprint, from } = this.#ladder.inForce;
    if (from === 'configuration') {
      this.#said = undefined;
      return;
    }
    if (this.#said === fingerprint) return;
    this.#said = fingerprint;
    const { level, text } = FOUND[from];
    this.#options.log[level]({ fingerprint, from, configured: this.#ladder.configured }, text);
  }

  async #read(): Promise<void> {
    this.#options.sender.suspend();
    await this.#options.reread();
    const move = this.#ladder.read();
    this.#go(move);
    if (move === 'rest') this.#options.onRest();
  }

  #go(move: Move): void {
    const { sender } = this.#options;
    if (move === 'stay' || move === 'read') return;
    const credential = this.credential as Credential;
    if (move === 'try') sender.tryKey(credential);
    else sender.restWith(credential);
  }
}

/** The checker has opened it; whether it is a key at all shows here. */
function attempt(api: Config['api']): Credential | undefined {
  try {
    return createCredential(api);
  } catch {
    return undefined;
  }
}
