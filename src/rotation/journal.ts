import type { Link } from '../support/chain.ts';

/** Where a rotation stands. There is none, or it goes INTENT → STAGED → PROVEN → COMMITTED → ADOPTED → RETIRING → none. */
export type RotationState =
  /** Decided; a key made here is in `next`, of one to be minted only the Idempotency-Key is known. The service may or may not have heard. */
  | 'INTENT'
  /** The service has the new key, and so has this host, in `next`. */
  | 'STAGED'
  /** The service took the new key over a connection of its own, and refused a random one. */
  | 'PROVEN'
  /** The configuration holds the new key. */
  | 'COMMITTED'
  /** The running agent had a heartbeat accepted with it; or no agent runs. */
  | 'ADOPTED'
  /** The old key waits for its end, in `previous`: by the service's clock, or by us. Another rotation may begin. */
  | 'RETIRING';

/** Where the new credential comes from. */
export type Source = 'made' | 'keypair' | 'pasted' | 'minted' | 'rollback';

export type Policy = 'immediate' | 'grace' | 'multi';

/** The rotation under way, as the keyring holds it. Fingerprints, never keys. */
export interface Journal {
  id: string;
  state: RotationState;
  source: Source;
  policy: Policy;
  /** Fingerprint of the key to be replaced, and of the new one (null until it was minted). */
  from: string;
  to: string | null;
  /** RFC 3339. */
  started: string;
  changed: string;
  /** Who asked: `root`, `ann (uid 1000)`, `timer`. */
  actor: string;
  /** Under which a key is minted, so that asking again brings the same key. */
  idempotency_key?: string;
  /** When the old key ends (RFC 3339); null: not by itself. */
  retire_at: string | null;
  /** What stopped it last, if anything did. */
  problem: string | null;
}

/** One line of the audit log: what happened to this host's credential. */
export interface AuditLine extends Link {
  time: string;
  actor: string;
  /** A state of the rotation, or `ABORTED`, `RETIRED`, `QUARANTINED`, `ERASED`, `FOUND` (the configuration held another key), `MOVED` (it named another address). */
  event: string;
  rotation: string | null;
  from: string | null;
  to: string | null;
  reason: string;
}
