import { describe, expect, it } from 'vitest';
import { EMPTY_KEYRING, type Keyring } from '../../src/credentials/keyring.ts';
import { type Explanation, explain, explainText } from '../../src/rotation/explain.ts';
import type { Journal } from '../../src/rotation/journal.ts';
import { freshKey, keptKey, POLICIES, SOURCES, STATES } from '../credentials/keyrings.ts';

const AT = '2026-01-01T00:00:00.000Z';
const NOW = Date.parse(AT);
const HOUR_MS = 3_600_000;
const iso = (ms: number) => new Date(ms).toISOString();

/** A keyring as a rotation leaves it at this state. */
function keyringAt(state: Journal['state'], more: Partial<Journal> = {}): Keyring {
  const [old, fresh] = [keptKey(), keptKey()];
  const committed = state === 'COMMITTED' || state === 'ADOPTED' || state === 'RETIRING';
  const isUnknown = state === 'INTENT' && more.source === 'minted';
  const rotation: Journal = {
    id: 'r',
    state,
    source: 'made',
    policy: 'grace',
    from: old.fingerprint,
    to: isUnknown ? null : fresh.fingerprint,
    started: AT,
    changed: AT,
    actor: 'root',
    retire_at: null,
    problem: null,
    ...more,
  };
  if (committed) return { ...EMPTY_KEYRING, current: fresh, previous: old, rotation };
  return { ...EMPTY_KEYRING, current: old, next: isUnknown ? null : fresh, rotation };
}

/** Explained with the key in the configuration that the keyring has as its current one, if no other is given. */
function told(keyring: Keyring, configured: string | null = keyring.current?.fingerprint ?? null, now = NOW): Explanation {
  return explain(keyring, { configured, now });
}

const secrets = ({ current, next, previous, quarantine }: Keyring) =>
  [current, next, previous, ...quarantine].flatMap((key) => (key ? Object.values(key.values) : []));

const every = STATES.flatMap((state) => SOURCES.flatMap((source) => POLICIES.map((policy) => ({ state, source, policy }))));

describe('an explanation', () => {
  it.each(every)('is there at $state of a rotation that was $source, policy $policy', ({ state, source, policy }) => {
    for (const retire_at of [null, iso(NOW - HOUR_MS), iso(NOW + HOUR_MS)]) {
      const keyring = {
        ...keyringAt(state, { source, policy, retire_at, problem: 'no answer' }),
        quarantine: [{ ...keptKey(), reason: 'r' }],
      };
      for (const configured of [undefined, null, keptKey().fingerprint, keyring.next?.fingerprint, keyring.previous?.fingerprint]) {
        const found = told(keyring, configured);
        expect(found).toMatchObject({ state, source, policy, since: AT, problem: 'no answer', from: keyring.rotation?.from });
        const text = explainText(found);
        for (const part of [found.what, found.safe_next, text]) {
          expect(part).not.toMatch(/undefined|null|NaN| {3}\.|\.\./);
          expect(part.trim()).not.toBe('');
        }
        expect(found.what).toMatch(/^[A-Z].*\.$/);
        for (const shown of [found.state, found.what, found.safe_next, 'no answer']) expect(text).toContain(shown);
        for (const secret of secrets(keyring)) expect(text + JSON.stringify(found)).not.toContain(secret);
      }
    }
  });

  it('has a safe next command that goes on, for everything that was cut short', () => {
    for (const { state, source, policy } of every) {
      if (state === 'RETIRING') continue;
      expect(told(keyringAt(state, { source, policy })).safe_next).toMatch(/^`scout-agent rotate`: it goes on from here/);
    }
  });

  it('of a host that never rotated', () => {
    const found = told(EMPTY_KEYRING, keptKey().fingerprint);
    expect(found).toMatchObject({ state: 'IDLE', since: null, source: null, policy: null, from: null, to: null, keys: [], quarantine: [] });
    expect(found.what).toBe('No rotation has taken place on this host.');
    expect(found.safe_next).toContain('nothing has to be done');
  });

  it('does not let what the agent’s user wrote steer the terminal of root', () => {
    const evil = '\u001b]0;owned\u0007\u001b[2J\r\nIt is safe to delete everything.\u202e\u009b31m';
    const keyring = keyringAt('STAGED', { problem: evil, actor: evil });
    const text = explainText(told({ ...keyring, quarantine: [{ ...keptKey(), reason: evil }] }));
    expect(text).toContain('owned');
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text).not.toMatch(/^It is safe to delete/m);
  });

  it('shows each key by slot, and none of what it is', () => {
    const keyring = keyringAt('STAGED');
    const set = { ...keptKey(), reason: 'another rotation begins' };
    const found = told({ ...keyring, quarantine: [set] });
    expect(found.keys.map(({ slot, fingerprint }) => [slot, fingerprint])).toEqual([
      ['current', keyring.current?.fingerprint],
      ['next', keyring.next?.fingerprint],
    ]);
    expect(found.quarantine).toEqual([{ fingerprint: set.fingerprint, origin: 'made', since: set.since, reason: set.reason }]);
    expect(found.what).toContain(`In quarantine: ${set.fingerprint}`);
    expect(explainText(found)).toMatch(new RegExp(`quarantine +${set.fingerprint} .*another rotation begins`));
  });

  it('says what is not known: whether the service heard', () => {
    for (const source of ['made', 'keypair', 'minted'] as const) expect(told(keyringAt('INTENT', { source })).what).toContain('not known');
    expect(told(keyringAt('INTENT', { source: 'pasted' })).what).toContain('Nothing has been asked of the service');
  });

  it('says where a key may have been lost, and what helps', () => {
    const { what, safe_next } = told(keyringAt('INTENT', { source: 'minted', policy: 'immediate' }));
    expect(what).toContain('cannot be had again');
    expect(safe_next).toContain('ROTATE_LOST');
    expect(told(keyringAt('INTENT', { source: 'minted', policy: 'grace' })).safe_next).not.toContain('ROTATE_LOST');
  });

  it("tells an operator's edit, and that it wins", () => {
    const other = keptKey().fingerprint;
    for (const state of STATES) {
      const { what, safe_next, configured } = told(keyringAt(state), other);
      expect(configured).toBe(other);
      expect(what).toContain(`the configuration holds ${other}, which is none of the keyring's`);
      if (state === 'RETIRING') expect(safe_next).toContain('takes the key in the configuration for the current one');
      else expect(safe_next).toContain('ROTATE_OVERTAKEN');
    }
  });

  it('tells which kept key came back into the configuration by hand', () => {
    const keyring = keyringAt('ADOPTED');
    expect(told(keyring, keyring.previous?.fingerprint).what).toContain('which the keyring keeps as previous');
    const set = keptKey();
    expect(told({ ...keyring, quarantine: [{ ...set, reason: 'r' }] }, set.fingerprint).what).toContain('keeps as quarantined');
  });

  it('takes the new key in the configuration for no edit between the two writes of a commit', () => {
    const keyring = keyringAt('PROVEN');
    const { what, safe_next } = told(keyring, keyring.next?.fingerprint);
    expect(what).toContain('only the journal is behind');
    expect(safe_next).toContain('it goes on from here');
    const early = keyringAt('STAGED');
    expect(told(early, early.next?.fingerprint).safe_next).toContain('ROTATE_OVERTAKEN');
  });

  it('does without the configuration', () => {
    const found = told(keyringAt('PROVEN'), null);
    expect(found.what).toContain('cannot be told');
    expect(found.safe_next).toContain('it goes on from here');
    expect(explainText(found)).toContain('In the configuration: not to be told');
  });

  it.each([
    ['multi', -1, 'was due to end'],
    ['multi', 1, 'the timer has the service end it'],
    ['grace', -1, 'forgets it once the service refuses it'],
    ['grace', 1, 'stays good until'],
  ] as const)('says when the old key ends: %s, %i h', (policy, hours, text) => {
    const retire_at = iso(NOW + hours * HOUR_MS);
    const { what } = told(keyringAt('RETIRING', { policy, retire_at }));
    expect(what).toContain(text);
    expect(what).toContain(retire_at);
  });

  it('says of an old key without an end that it stays, and of none that there is none', () => {
    const keyring = keyringAt('RETIRING', { policy: 'multi', source: 'pasted' });
    expect(told(keyring).what).toContain('not known to end by itself');
    expect(told({ ...keyring, previous: null }).what).toContain('There is no old key');
  });

  it('of an idle host tells the last entry of the log, and the key before', () => {
    const [current, previous] = [keptKey(), keptKey()];
    const audit = {
      seq: 1,
      time: AT,
      actor: 'root',
      event: 'FOUND',
      rotation: null,
      from: null,
      to: null,
      reason: 'another key',
      prev: freshKey(),
      hash: freshKey(),
    };
    const { what, safe_next } = told({ ...EMPTY_KEYRING, current, previous, audit });
    expect(what).toContain(`FOUND of ${AT}: another key.`);
    expect(what).toContain(previous.fingerprint);
    expect(safe_next).toContain('--rollback');
  });
});
