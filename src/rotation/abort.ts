import type { KeptKey } from '../credentials/keyring.ts';
import { fingerprintOf, type Values } from '../credentials/values.ts';
import { ScoutError } from '../support/errors.ts';
import type { Book } from './book.ts';
import type { World } from './ports.ts';

/** Ends a rotation before its commit. Its key is kept in quarantine: nothing has proved it dead. */
export function abort(book: Book, reason: string): void {
  const { next } = book.keyring;
  book.write({ next: null, quarantine: book.quarantined(reason, next), rotation: null }, 'ABORTED', reason);
}

/** Ends a rotation whose key is another's. One that a person gave is not kept: sent from here, it would pass this host off as another. */
export function forsake(book: Book, reason: string): void {
  if (book.keyring.next?.origin === 'pasted') book.write({ next: null, rotation: null }, 'ABORTED', reason);
  else abort(book, reason);
}

/**
 * The configuration was given a key that is neither the old nor the new one: whoever did that wins. The rotation ends,
 * its keys are kept, and what stands in the configuration is the current key. Always throws ROTATE_OVERTAKEN.
 */
export function overtaken(world: World, book: Book): never {
  found(book, world.configured.read(), world.configured.changedAt(), 'the configuration was given another key during a rotation');
  throw new ScoutError('ROTATE_OVERTAKEN');
}

/** Takes what the configuration holds as the current key, and ends a rotation that was about others. */
export function found(book: Book, values: Values, changedAt: number, reason: string): void {
  const { current, next, previous, rotation } = book.keyring;
  const since = new Date(Math.min(changedAt, Date.parse(book.time()))).toISOString();
  const fingerprint = fingerprintOf(values);
  const kept = [previous, next, current].find((key) => key?.fingerprint === fingerprint);
  const now: KeptKey = kept ?? book.keep(values, 'found', since);
  const others = [current, next, previous].filter((key) => key !== null && key.fingerprint !== now.fingerprint);
  // What was current may still be alive, and is the first to go back to.
  const before = current && current.fingerprint !== now.fingerprint ? current : (others.find((key) => key === previous) ?? null);
  const rest = others.filter((key) => key !== before);
  book.write(
    {
      current: now,
      next: null,
      previous: before,
      quarantine: book.quarantined(reason, ...rest).filter((key) => key.fingerprint !== now.fingerprint),
      rotation: null,
    },
    'FOUND',
    reason,
    { from: rotation?.from ?? current?.fingerprint ?? null, to: now.fingerprint },
  );
}
