import type { RotationAbility } from '../protocol/keys.ts';

/** One step of a proof, in the order in which they were taken; a failed one ends it. */
export interface ProofStep {
  name: 'dns' | 'tcp' | 'tls' | 'service' | 'key' | 'control' | 'clock';
  ok: boolean;
  detail: string;
}

/** What `--check-config --online` found out about the service and the key. */
export interface Proof {
  ok: boolean;
  endpoint: string;
  steps: ProofStep[];
  service?: string;
  service_id?: string;
  server?: { id: string; name: string };
  /** How the service ends the old key of this server when a new one comes. */
  policy?: 'immediate' | 'grace' | 'multi';
  /** The organisation credential that asked, where it is one. */
  credential?: { id: string; name: string };
  /** Fingerprint of the key that the service says it accepted, and its slot. */
  fingerprint?: string;
  slot?: string;
  /** Until when the other key of a window stays good (RFC 3339). */
  previous_key_valid_until?: string | null;
  /** When the service made the key or learned of it (RFC 3339). */
  key_created?: string;
  /** What the service does for an agent that replaces its key. */
  rotation?: RotationAbility[];
  /** This clock minus the service's, seconds. */
  skew_seconds?: number;
}
