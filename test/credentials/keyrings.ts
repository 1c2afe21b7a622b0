import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { KeptKey, Keyring } from '../../src/credentials/keyring.ts';
import type { Journal } from '../../src/rotation/journal.ts';
import { link } from '../../src/support/chain.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';

/* Keyrings for tests, with keys made as the tests run. */

export const STATES = ['INTENT', 'STAGED', 'PROVEN', 'COMMITTED', 'ADOPTED', 'RETIRING'] as const;
export const SOURCES = ['made', 'keypair', 'pasted', 'minted', 'rollback'] as const;
export const POLICIES = ['immediate', 'grace', 'multi'] as const;

export const freshKey = () => randomBytes(32).toString('hex');

/** A key as it is kept, in plain. */
export function keptKey(more: Partial<KeptKey> = {}): KeptKey {
  const key = freshKey();
  return {
    fingerprint: fingerprint(key),
    origin: 'made',
    values: { 'api.key': key },
    since: '2026-01-01T00:00:00.000Z',
    valid_until: null,
    ...more,
  };
}

const time = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') }).map((date) => date.toISOString());
const mark = fc.stringMatching(/^[0-9a-f]{12}$/);
const orNull = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null });
const text = fc.string({ unit: 'grapheme', maxLength: 12 });

const kept: fc.Arbitrary<KeptKey> = fc.record({
  fingerprint: mark,
  origin: fc.constantFrom(...SOURCES, 'found' as const),
  values: fc.dictionary(fc.constantFrom('api.key', 'api.private_key', 'api.credential_id', 'api.kid'), text),
  since: time,
  valid_until: orNull(time),
});

const journal: fc.Arbitrary<Journal> = fc.record(
  {
    id: text,
    state: fc.constantFrom(...STATES),
    source: fc.constantFrom(...SOURCES),
    policy: fc.constantFrom(...POLICIES),
    from: mark,
    to: orNull(mark),
    started: time,
    changed: time,
    actor: text,
    idempotency_key: text,
    retire_at: orNull(time),
    problem: orNull(text),
  },
  { requiredKeys: ['id', 'state', 'source', 'policy', 'from', 'to', 'started', 'changed', 'actor', 'retire_at', 'problem'] },
);

export const auditEntry = fc.record({
  time,
  actor: text,
  event: text,
  rotation: orNull(text),
  from: orNull(mark),
  to: orNull(mark),
  reason: text,
});

/** Every keyring that there can be. */
export const keyrings: fc.Arbitrary<Keyring> = fc.record({
  v: fc.constant(1 as const),
  service: orNull(fc.record({ endpoint: fc.webUrl(), service_id: orNull(text), server_id: orNull(text) })),
  current: orNull(kept),
  next: orNull(kept),
  previous: orNull(kept),
  quarantine: fc.array(
    fc.tuple(kept, text, fc.option(fc.webUrl()), fc.boolean()).map(([key, reason, endpoint, isUnproved]) => ({
      ...key,
      reason,
      ...(endpoint && { endpoint }),
      ...(isUnproved && { unproved: true as const }),
    })),
    { maxLength: 3 },
  ),
  rotation: orNull(journal),
  audit: orNull(fc.tuple(auditEntry, fc.nat()).map(([entry, seq]) => link(entry, { seq, hash: 'a'.repeat(64) }))),
});
