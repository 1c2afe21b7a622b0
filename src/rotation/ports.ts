import type { Keyring } from '../credentials/keyring.ts';
import type { Proof } from '../credentials/proof.ts';
import type { Values } from '../credentials/values.ts';
import type { Reply } from '../credentials/whoami.ts';
import type { Minted, Registered, Retired } from '../protocol/keys.ts';
import type { Problem } from '../support/errors.ts';
import type { AuditLine } from './journal.ts';

/*
 * What a rotation touches, one interface each: the driver (rotation.ts) knows nothing else, so that a test can hand in
 * a world of its own and stop it at any call.
 */

export type { Values };

/** What the service said to a key route. Whatever decides nothing is thrown as a ScoutError (SERVICE_…). */
export type Answer<T> =
  | { kind: 'done'; value: T }
  /** 401, from the service itself. */
  | { kind: 'refused'; detail: string }
  /** 403. */
  | { kind: 'forbidden'; detail: string }
  /** A definite no of another kind (404, 405, 409, 422), from the service itself: nothing was changed. */
  | { kind: 'declined'; status: number; code: string; detail: string };

/** The key service, each request over a connection of its own, as whoever holds `by`. */
export interface KeyService {
  /** Throws SERVICE_UNREACHABLE, PROXY_AUTH, SERVICE_TLS, SERVICE_UNEXPECTED, SERVICE_BUSY. */
  whoami(by: Values): Promise<Reply>;
  /** whoami, and that a random key is refused. Never throws for what it meets. */
  prove(by: Values): Promise<{ proof: Proof; problems: Problem[] }>;
  register(by: Values, key: { sha256: string } | { public_key: string }): Promise<Answer<Registered>>;
  mint(by: Values, idempotencyKey: string): Promise<Answer<Minted>>;
  retire(by: Values, fingerprint: string): Promise<Answer<Retired>>;
}

/** The credential in the configuration. */
export interface ConfiguredKey {
  /** What the files say at this moment, opened. Throws the first fault of a configuration that does not pass its check. */
  read(): Values;
  /** When the file that holds it was changed last, ms since the epoch. */
  changedAt(): number;
  /** Throws EDIT_REFUSED, ROTATE_PLACES, FILE_UNWRITABLE where `replace` could not do its work; changes nothing. */
  check(names: string[]): void;
  /**
   * Puts other values in the place of `expected`, in one step; values that were sealed are sealed. `overtaken`: the
   * files hold something else by now, nothing was changed. Throws what `check` does.
   */
  replace(expected: Values, values: Values): 'done' | 'overtaken';
}

/** The keyring on disk and the audit log beside it. */
export interface KeyringStore {
  /** Throws KEYRING_DAMAGED, FILE_UNREADABLE. */
  read(): Keyring;
  /** Durable when it returns. Throws FILE_UNWRITABLE. */
  write(keyring: Keyring): void;
  /** Adds a line that `write` has kept in `keyring.audit`; one that is there already is not added again. */
  append(line: AuditLine): void;
  /** The form in which a value of a setting is kept. */
  seal(name: string, text: string): string;
  /** Throws KEYRING_SEALED, HOST_KEY_UNREADABLE. */
  open(name: string, kept: string): string;
}

/** The running agent, by its control socket. */
export interface RunningAgent {
  /** Sends nothing from when this resolves until `release`, or until `ms` have passed; false when no agent runs. */
  hold(ms: number): Promise<boolean>;
  release(): Promise<void>;
  /**
   * Has it read its configuration and send with what it found there: `accepted` once a heartbeat was accepted with this
   * key, `absent` when no agent runs, else why not (yet).
   */
  adopt(fingerprint: string): Promise<{ kind: 'accepted' | 'absent' | 'pending' | 'refused'; detail: string }>;
}

/** What a rotation tells while it goes on. */
export interface Step {
  state: string;
  text: string;
  level?: 'warning';
}

/** All of it. */
export interface World {
  service: KeyService;
  configured: ConfiguredKey;
  store: KeyringStore;
  agent: RunningAgent;
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** Told each step as it is done. */
  tell(step: Step): void;
  /** Address of the service, for messages. */
  endpoint: string;
}
