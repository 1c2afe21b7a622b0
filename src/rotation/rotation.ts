import type { KeptKey } from '../credentials/keyring.ts';
import { fingerprintOf, type Values } from '../credentials/values.ts';
import { ScoutError } from '../support/errors.ts';
import { abort, found, overtaken } from './abort.ts';
import { begin, type Plan, plan, type Request } from './begin.ts';
import { Book } from './book.ts';
import type { Journal } from './journal.ts';
import { followService } from './moved.ts';
import type { World } from './ports.ts';
import { makeRoom, retire, retireDue } from './retire.ts';
import { STEPS } from './steps.ts';

export type { Plan, Request };

/** What a rotation came to. */
export interface Rotated {
  from: string;
  to: string;
  source: Journal['source'];
  policy: Journal['policy'];
  /** The old key, while it is still good for something: until when (RFC 3339), null where nothing ends it by itself. */
  previous: { fingerprint: string; valid_until: string | null } | null;
  /** When the new key ends by itself: one that was gone back to may be within its window. Null: never, or not known. */
  valid_until: string | null;
}

/** How old the key in use is. */
export interface Age {
  fingerprint: string;
  since: string;
}

/** What stops a rotation without deciding anything: the same command later goes on. */
const UNDECIDED: ReadonlySet<string> = new Set(['SERVICE_UNREACHABLE', 'PROXY_AUTH', 'SERVICE_TLS', 'SERVICE_BUSY', 'SERVICE_UNEXPECTED']);

/**
 * Replaces the credential of this host: a state machine over a keyring on disk. Whatever dies at whatever moment,
 * the keyring and the configuration together hold a key that the service takes, and the next call goes on from there.
 * One at a time: the caller holds the lock.
 */
export class Rotation {
  readonly #world: World;
  readonly #book: Book;
  /** Whether the agent is known to send with the current key; what it may be sending with instead must not be ended. */
  #adopted = true;

  /** Reads the keyring. `actor` goes into the audit log. Throws KEYRING_DAMAGED, FILE_UNREADABLE. */
  constructor(world: World, actor: string) {
    this.#world = world;
    this.#book = Book.open(world, actor);
  }

  /** The rotation under way that a crash or a dead service left behind; null when there is none. */
  get open(): Journal | null {
    const { rotation } = this.#book.keyring;
    return rotation && rotation.state !== 'RETIRING' ? rotation : null;
  }

  /** Whether there is an old key that could be retired now. */
  get retirable(): boolean {
    return this.#book.keyring.previous !== null;
  }

  /** How a rotation would go; changes nothing. Throws what speaks against it. */
  async plan(request: Request): Promise<Plan> {
    return plan(this.#world, this.#book, request);
  }

  /**
   * Replaces the credential, after finishing what an earlier call left; where that did what is asked for now, it is
   * all. Throws the ROTATE_ errors, EDIT_REFUSED, FILE_UNWRITABLE, KEY_FORBIDDEN and the SERVICE_ errors.
   */
  async rotate(request: Request, { retireNow = false } = {}): Promise<Rotated> {
    const { source } = request;
    const given = source === 'pasted' || source === 'rollback';
    await followService(this.#world, this.#book, request);
    const finished = await this.#resume(retireNow, given).catch((error) => this.#gaveUp(error));
    if (finished && !given) return finished;
    // What speaks against it is told before anything is written.
    const planned = await plan(this.#world, this.#book, request);
    await this.#follow();
    // The key to go back to must not be retired before.
    if (source !== 'rollback') await makeRoom(this.#world, this.#book, this.#adopted ? planned.policy : null);
    await begin(this.#world, this.#book, request, planned);
    return this.#run(true, retireNow);
  }

  /** Finishes what an earlier call left; undefined when there was nothing. Throws as `rotate` does. */
  async resume(): Promise<Rotated | undefined> {
    await followService(this.#world, this.#book);
    return this.#resume(false, false);
  }

  /** Ends the old key at the service now. Throws ROTATE_NOTHING_TO_RETIRE and what `rotate` does. */
  async retireNow(): Promise<{ fingerprint: string }> {
    await this.resume();
    await this.#follow();
    const { previous } = this.#book.keyring;
    if (!previous) throw new ScoutError('ROTATE_NOTHING_TO_RETIRE');
    await retire(this.#world, this.#book, previous);
    return { fingerprint: previous.fingerprint };
  }

  /** Retires an old key whose time has come; what the timer does each day. */
  async retireDue(): Promise<boolean> {
    return retireDue(this.#world, this.#book);
  }

  /** Since when the key in the configuration is in use; asks the service for one that is new to the keyring. */
  async age(): Promise<Age> {
    await followService(this.#world, this.#book);
    await this.#follow();
    const { fingerprint, since } = this.#book.keyring.current as KeptKey;
    return { fingerprint, since };
  }

  async #resume(retireNow: boolean, superseded: boolean): Promise<Rotated | undefined> {
    const journal = this.open;
    if (!journal) return undefined;
    const { current, next } = this.#book.keyring;
    const configured = fingerprintOf(this.#world.configured.read());
    const committed = journal.state === 'COMMITTED' || journal.state === 'ADOPTED';
    const mine = committed ? [current?.fingerprint] : [current?.fingerprint, journal.state === 'PROVEN' ? next?.fingerprint : undefined];
    if (!mine.includes(configured)) overtaken(this.#world, this.#book);
    if (superseded && (journal.state === 'INTENT' || journal.state === 'STAGED')) {
      abort(this.#book, 'another key was given');
      return undefined;
    }
    this.#world.tell({ state: journal.state, text: `a rotation was cut short at ${journal.state}: going on` });
    return this.#run(false, retireNow).catch((error) => this.#overrule(error, superseded));
  }

  /** An agent that does not send with the new key keeps nobody from giving it another: that may be what helps. */
  #overrule(error: unknown, superseded: boolean): undefined {
    if (!superseded || this.open?.state !== 'COMMITTED' || !(error instanceof ScoutError)) throw error;
    this.#adopted = false;
    this.#world.tell({ state: 'COMMITTED', text: error.problem.message, level: 'warning' });
    this.#book.advance('RETIRING', 'another key was given before the agent sent with this one');
  }

  /** A key that the service never learned, whatever was said then, ended with the rotation it was for: another one may begin. */
  #gaveUp(error: unknown): undefined {
    if (this.open || !(error instanceof ScoutError) || error.code !== 'ROTATE_NEW_REFUSED') throw error;
    this.#world.tell({ state: 'ABORTED', text: 'the service does not know the key of the rotation that was cut short', level: 'warning' });
  }

  /** Takes the key in the configuration for the current one, where somebody put another there. */
  async #follow(): Promise<void> {
    const values = this.#world.configured.read();
    const { current } = this.#book.keyring;
    const fingerprint = fingerprintOf(values);
    if (current?.fingerprint === fingerprint) return;
    const made = current ? undefined : await this.#made(values);
    const reason = current ? 'the configuration was given another key' : 'the key of the configuration';
    if (current)
      this.#world.tell({ state: 'FOUND', text: `the configuration holds another key than the keyring: ${fingerprint}`, level: 'warning' });
    found(this.#book, values, made ?? this.#world.configured.changedAt(), reason);
  }

  /** When the service says that a key was made. */
  async #made(values: Values): Promise<number | undefined> {
    try {
      const reply = await this.#world.service.whoami(values);
      const time = reply.kind === 'accepted' ? Date.parse(reply.whoami.key_created ?? '') : Number.NaN;
      return Number.isNaN(time) ? undefined : time;
    } catch (error) {
      if (error instanceof ScoutError) return undefined;
      throw error;
    }
  }

  async #run(fresh: boolean, retireNow: boolean): Promise<Rotated> {
    const { source, policy, from } = this.#book.journal;
    let turn = { world: this.#world, book: this.#book, fresh, retireNow };
    try {
      for (let open = this.open; open; open = this.open) {
        await STEPS[open.state as keyof typeof STEPS](turn);
        turn = { ...turn, fresh: true };
        this.#tell(open.state);
      }
    } catch (error) {
      throw this.#stopped(error);
    } finally {
      if (policy === 'immediate') await this.#world.agent.release().catch(() => undefined);
    }
    const { current, previous } = this.#book.keyring;
    const until = this.#book.keyring.rotation?.retire_at ?? null;
    return {
      from,
      to: (current as KeptKey).fingerprint,
      source,
      policy,
      previous: previous && { fingerprint: previous.fingerprint, valid_until: until },
      valid_until: (current as KeptKey).valid_until,
    };
  }

  #tell(left: Journal['state']): void {
    const { rotation, next, current } = this.#book.keyring;
    const key = (next ?? current)?.fingerprint ?? '';
    const source = rotation?.source;
    const known = source === 'pasted' ? `the key ${key} was made at the service` : `the service had the key ${key} before`;
    const texts: Partial<Record<Journal['state'], string>> = {
      INTENT: source === 'pasted' || source === 'rollback' ? known : `the service has the new key ${key}`,
      STAGED: 'the service takes it, and refuses a random one',
      PROVEN: 'the configuration holds it',
      COMMITTED: 'it is in use',
    };
    const text = texts[left];
    if (text) this.#world.tell({ state: rotation?.state ?? 'IDLE', text });
  }

  /** What stopped it, noted for `--explain`; what decides nothing says that the same command goes on. */
  #stopped(error: unknown): unknown {
    const open = this.open;
    if (!(error instanceof ScoutError) || !open) return error;
    this.#book.stumble(error.problem.message);
    if (!UNDECIDED.has(error.code)) return error;
    return new ScoutError('ROTATE_UNDECIDED', { state: open.state, detail: error.problem.message }, {}, { cause: error });
  }
}
