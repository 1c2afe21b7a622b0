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
  /** Fingerprint of the key that the service says it accepted, and its slot. */
  fingerprint?: string;
  slot?: string;
  /** This clock minus the service's, seconds. */
  skew_seconds?: number;
}
