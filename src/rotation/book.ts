import type { KeptKey, Keyring, QuarantinedKey } from '../credentials/keyring.ts';
import { fingerprintOf, SECRET_VALUES, type Values } from '../credentials/values.ts';
import { link } from '../support/chain.ts';
import { ScoutError } from '../support/errors.ts';
import type { Journal } from './journal.ts';
import type { World } from './ports.ts';

/** A change of the keyring; what it does not name stays. */
export type Change = Partial<Pick<Keyring, 'service' | 'current' | 'next' | 'previous' | 'quarantine' | 'rotation'>>;

type BookWorld = Pick<World, 'store' | 'now' | 'configured'>;

/**
 * The keyring as it is on disk, and the only way to change it: every change is one durable write that holds its own
 * line of the audit log, so that neither can be there without the other.
 */
export class Book {
  readonly #world: BookWorld;
  readonly #actor: string;
  #keyring: Keyring;
  #behind = false;

  /** Reads the keyring, and adds the audit line of a change after which the process died. Throws KEYRING_DAMAGED. */
  static open(world: BookWorld, actor: string): Book {
    const keyring = world.store.read();
    if (keyring.audit) world.store.append(keyring.audit);
    return new Book(world, actor, keyring);
  }

  private constructor(world: BookWorld, actor: string, keyring: Keyring) {
    this.#world = world;
    this.#actor = actor;
    this.#keyring = keyring;
  }

  get keyring(): Keyring {
    return this.#keyring;
  }

  /** The rotation under way. Throws when there is none: a fault of ours. */
  get journal(): Journal {
    const { rotation } = this.#keyring;
    if (!rotation) throw new Error('no rotation is under way');
    return rotation;
  }

  /** Who changes it. */
  get actor(): string {
    return this.#actor;
  }

  /** Changes the keyring, durably. `event` and `reason` go to the audit log; `about` where no rotation tells the keys. */
  write(change: Change, event: string, reason: string, about: { from?: string | null; to?: string | null } = {}): void {
    const rotation = change.rotation === undefined ? this.#keyring.rotation : (change.rotation ?? this.#keyring.rotation);
    const entry = {
      time: this.time(),
      actor: this.#actor,
      event,
      rotation: rotation?.id ?? null,
      from: about.from === undefined ? (rotation?.from ?? null) : about.from,
      to: about.to === undefined ? (rotation?.to ?? null) : about.to,
      reason,
    };
    // A line that could not be added to the log must be there before the next one.
    if (this.#behind && this.#keyring.audit) this.#world.store.append(this.#keyring.audit);
    const line = link(entry, this.#keyring.audit);
    const keyring = { ...this.#keyring, ...change, audit: line };
    this.#world.store.write(keyring);
    this.#keyring = keyring;
    this.#behind = true;
    this.#world.store.append(line);
    this.#behind = false;
  }

  /** Moves the rotation on, with what changes beside it in the same write. */
  advance(state: Journal['state'], reason: string, change: Change = {}, journal: Partial<Journal> = {}): void {
    const rotation: Journal = { ...this.journal, problem: null, ...journal, state, changed: this.time() };
    this.write({ ...change, rotation }, state, reason);
  }

  /** Notes what stopped the rotation, for `--explain`. */
  stumble(problem: string): void {
    this.write({ rotation: { ...this.journal, problem } }, 'STOPPED', problem);
  }

  /** A credential in the form in which it is kept. */
  keep(values: Values, origin: KeptKey['origin'], since = this.time()): KeptKey {
    const kept = Object.entries(values).map(([name, text]) => [
      name,
      SECRET_VALUES.includes(name) ? this.#world.store.seal(name, text) : text,
    ]);
    return { fingerprint: fingerprintOf(values), origin, values: Object.fromEntries(kept), since, valid_until: null };
  }

  /** The credential itself; from the configuration, where it does not open here and stands there. Throws KEYRING_SEALED, HOST_KEY_UNREADABLE. */
  open(kept: KeptKey): Values {
    try {
      return this.#open(kept);
    } catch (error) {
      if (!(error instanceof ScoutError)) throw error;
      const values = this.#world.configured.read();
      if (fingerprintOf(values) === kept.fingerprint) return values;
      throw error;
    }
  }

  #open(kept: KeptKey): Values {
    const opened = Object.entries(kept.values).map(([name, text]) => [
      name,
      SECRET_VALUES.includes(name) ? this.#world.store.open(name, text) : text,
    ]);
    return Object.fromEntries(opened);
  }

  /**
   * The quarantine with further keys, each once; what is in use is none of it. One that a person gave may be anybody's until
   * it is proved whose it is, and is marked so.
   */
  quarantined(reason: string, ...keys: (KeptKey | null)[]): QuarantinedKey[] {
    const { next, rotation } = this.#keyring;
    const early = rotation?.state === 'INTENT' || rotation?.state === 'STAGED';
    const mark = (key: KeptKey) => key === next && key.origin === 'pasted' && early && { unproved: true as const };
    const more = keys.filter((key) => key !== null).map((key) => ({ ...key, reason, ...mark(key) }));
    const names = new Set(more.map((key) => key.fingerprint));
    return [...this.#keyring.quarantine.filter((key) => !names.has(key.fingerprint)), ...more];
  }

  /** Now, as RFC 3339. */
  time(): string {
    return new Date(this.#world.now()).toISOString();
  }
}
