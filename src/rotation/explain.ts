import type { KeptKey, Keyring, KeySlot } from '../credentials/keyring.ts';
import { type Known, nextText, whatText } from './explain-states.ts';
import type { Policy, RotationState, Source } from './journal.ts';

/** A kept key, without anything secret. Times are RFC 3339. */
interface ExplainedKey {
  slot: KeySlot;
  fingerprint: string;
  origin: KeptKey['origin'];
  since: string;
  valid_until: string | null;
}

/** Where a rotation stands, as far as this host knows. Times are RFC 3339. */
export interface Explanation {
  state: RotationState | 'IDLE';
  /** When it came to this state; null when no rotation is under way. */
  since: string | null;
  source: Source | null;
  policy: Policy | null;
  /** Fingerprint of the key to be replaced, and of the new one. */
  from: string | null;
  to: string | null;
  /** What happened, what is known, and what is not. */
  what: string;
  /** Which commands are safe now, the first choice first. */
  safe_next: string;
  keys: ExplainedKey[];
  quarantine: { fingerprint: string; origin: KeptKey['origin']; since: string; reason: string }[];
  /** What stopped the rotation last. */
  problem: string | null;
  /** Fingerprint of the key in the configuration; null when it cannot be told. */
  configured: string | null;
}

/** Tells from the keyring alone where a rotation stands; asks nobody, and gives no key away. */
export function explain(keyring: Keyring, known: Known): Explanation {
  const { rotation } = keyring;
  const slots = ['current', 'next', 'previous'] as const;
  return {
    state: rotation?.state ?? 'IDLE',
    since: rotation?.changed ?? null,
    source: rotation?.source ?? null,
    policy: rotation?.policy ?? null,
    from: rotation?.from ?? null,
    to: rotation?.to ?? null,
    what: tame(whatText(keyring, known)),
    safe_next: nextText(keyring, known),
    keys: slots.flatMap((slot) => {
      const key = keyring[slot];
      return key ? [explained(slot, key)] : [];
    }),
    quarantine: keyring.quarantine.map(({ fingerprint, origin, since, reason }) => ({ fingerprint, origin, since, reason: tame(reason) })),
    problem: rotation?.problem ? tame(rotation.problem) : null,
    configured: known.configured,
  };
}

/** An explanation for people. */
export function explainText(told: Explanation): string {
  const { state, since, source, policy, from, to, what, safe_next, keys, quarantine, problem, configured } = told;
  const head =
    since === null ? state : `${state} since ${since}: ${from} → ${to ?? 'a new key'}, ${SOURCES[source as Source]}, policy ${policy}`;
  const rows = [
    ...keys.map((key) => [key.slot, key.fingerprint, key.origin, key.since, key.valid_until ?? '-']),
    ...quarantine.map((key) => ['quarantine', key.fingerprint, key.origin, key.since, key.reason]),
  ];
  return [
    head,
    '',
    what,
    ...(problem ? [`It was stopped last by this: ${problem}`] : []),
    '',
    `Safe next: ${safe_next}`,
    '',
    `In the configuration: ${configured ?? 'not to be told; see scout-agent --check-config'}`,
    ...(rows.length > 0 ? columns([['slot', 'fingerprint', 'origin', 'since', 'valid until, or why it is kept'], ...rows]) : []),
  ].join('\n');
}

/** The keyring belongs to the agent's user, and root reads this: nothing in it may steer a terminal. */
const tame = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ');

const SOURCES: Record<Source, string> = {
  made: 'made here',
  keypair: 'a key pair made here',
  pasted: 'given by a person',
  minted: 'minted by the service',
  rollback: 'back to the previous key',
};

function columns(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function explained(slot: KeySlot, { fingerprint, origin, since, valid_until }: KeptKey): ExplainedKey {
  return { slot, fingerprint, origin, since, valid_until };
}
